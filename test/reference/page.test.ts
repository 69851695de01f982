// /docs in a browser: it is read, searched and linked to, asks nobody else for anything, and keeps its own policy.

import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../src/problems.ts';
import { operationDocs } from '../../src/reference/operation-docs.ts';
import { browserIsMissing, openBrowser } from '../browser/browser.ts';
import { startTestServer } from '../support/server.ts';

describe('/docs', () => {
  it('is one page with every operation, which caches may ask about', async () => {
    await using server = await startTestServer();
    const response = await server.request('/docs');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const text = await response.text();
    for (const { id } of Object.values(operationDocs))
      expect(text).toContain(`<section class="operation" id="${id}">`);
    expect(text).not.toMatch(/\[object|undefined/);
    const again = await server.request('/docs', {
      headers: { 'if-none-match': response.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
    expect((await server.request('/problems')).url).toBe(`${server.url}/docs`);
    for (const code of Object.keys(PROBLEMS)) expect(text).toContain(`<dt id="${code}">`);
    // It describes others, not itself.
    expect(
      Object.keys(((await (await server.request('/openapi.json')).json()) as { paths: object }).paths),
    ).not.toContain('/docs');
  });

  it.skipIf(browserIsMissing())('works in a browser', async () => {
    await using server = await startTestServer();
    const browser = await openBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
      const complaints: string[] = [];
      const elsewhere: string[] = [];
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith(server.url)) elsewhere.push(request.url());
      });
      await page.goto(`${server.url}/docs`);
      const shown = page.locator('section.operation:visible');
      const all = await shown.count();
      expect(all).toBeGreaterThan(Object.keys(operationDocs).length);

      await page.getByRole('searchbox').fill('rotate secret');
      await page.getByRole('heading', { name: 'Give a webhook a new secret' }).waitFor();
      expect(await shown.count()).toBeLessThan(all / 2);
      await page.getByRole('searchbox').fill('zzz');
      await page.getByText('Nothing fits.').waitFor();
      await page.getByRole('searchbox').fill('');
      expect(await shown.count()).toBe(all);

      await page.getByRole('link', { name: 'Transcode a video' }).first().click();
      expect(new URL(page.url()).hash).toBe('#transcodeVideo');
      const sample = page.locator('#transcodeVideo pre').first();
      expect(await sample.textContent()).toContain('curl');

      await page.setViewportSize({ width: 390, height: 844 });
      const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(wider).toBeLessThanOrEqual(0);
      expect(complaints).toEqual([]);
      expect(elsewhere).toEqual([]);
      if (process.env['SCREENSHOTS'] !== undefined) {
        await page.setViewportSize({ width: 1400, height: 900 });
        await page.goto(`${server.url}/docs#renderImage`);
        await page.screenshot({ path: `${process.env['SCREENSHOTS']}/docs.png` });
        await page.emulateMedia({ colorScheme: 'dark' });
        await page.goto(`${server.url}/docs#createJob`);
        await page.screenshot({ path: `${process.env['SCREENSHOTS']}/docs-dark.png` });
        await page.setViewportSize({ width: 390, height: 844 });
        await page.goto(`${server.url}/docs`);
        await page.screenshot({ path: `${process.env['SCREENSHOTS']}/docs-phone.png` });
      }
    } finally {
      await browser.close();
    }
  });
});
