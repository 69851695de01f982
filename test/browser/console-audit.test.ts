// The audit itself finds what it is there to find.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserIsMissing, openBrowser } from './browser.ts';
import { openConsole } from './console-page.ts';
import type { ConsolePage } from './console-page.ts';

describe.skipIf(browserIsMissing())('the audit', () => {
  let browser: Browser;
  let opened: ConsolePage;
  beforeAll(async () => {
    browser = await openBrowser();
    opened = await openConsole(browser, 'http://none');
  });
  afterAll(() => browser.close());

  it.each([
    ['<button></button>', 'has no name'],
    ['<label>One</label><input id="one">', 'has no name'],
    ['<img src="data:,">', 'has no alt'],
    ['<p id="a">A</p><p id="a">B</p>', 'is there twice'],
    ['<p style="color: #999; background: #fff">pale</p>', 'contrast of 2.8'],
    [
      '<div style="background: #000"><p style="color: rgb(255 255 255 / 40%)">pale</p></div>',
      'contrast of 3.',
    ],
    ['<div style="width: 3000px">wide</div>', 'it is 3'],
    ['<h1>Another</h1>', '2 first headings'],
  ])('finds what is wrong with %s', async (html, fault) => {
    const good = '<h1>Page</h1><p>one</p><p>two</p><p>three</p><p>four</p><button>five</button>';
    await opened.page.setContent(`<html lang="en"><main>${good}</main></html>`);
    expect(await opened.audit()).toEqual([]);
    await opened.page.setContent(`<html lang="en"><main>${good}${html}</main></html>`);
    const found = await opened.audit();
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(fault);
  });
});
