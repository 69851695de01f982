// The console in a browser, watched: whatever it asks of others, whatever its policy refuses, and what its console says.

import { readFile } from 'node:fs/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

export interface ConsolePage extends AsyncDisposable {
  readonly page: Page;
  /** All that was wrong so far, in sentences. */
  readonly faults: readonly string[];
  /** Faults for people with a keyboard, a screen reader or weak eyes, in the page as it stands. */
  audit(): Promise<string[]>;
  open(hash: string): Promise<void>;
}

export async function openConsole(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<ConsolePage> {
  const faults: string[] = [];
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  // A violation of the policy is an error of the console, too.
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && !['blob:', 'data:'].includes(url.protocol))
      faults.push(`asked of another: ${url.href}`);
  });
  const script = await readFile(new URL('console-audit.js', import.meta.url), 'utf8');
  return {
    page,
    faults,
    audit: () => page.evaluate(script),
    async open(hash) {
      await page.goto(`${origin}/${hash}`);
      await page.locator('main > *').first().waitFor();
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}
