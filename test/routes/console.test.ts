// The console as it is served: to whom, with which headers, and nothing beside it.

import { hash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wantsPage } from '../../src/routes/console.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';

describe('/ is the page', () => {
  it.each([
    [BROWSER, true],
    ['text/html', true],
    ['text/html, application/json', true],
    ['text/html;q=0.5, application/json', false],
    ['*/*', false],
    ['application/json', false],
    ['text/html;q=0', false],
    [undefined, false],
  ])('for Accept: %s: %s', (accept, wanted) => {
    expect(wantsPage(accept)).toBe(wanted);
  });
});

describe('served', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const page = () => server.request('/', { headers: { accept: BROWSER } });

  it('the page with its policy, the index for everybody else, by Vary', async () => {
    const html = await page();
    expect(html.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(html.headers.get('vary')).toContain('accept');
    const text = await html.text();
    const index = await server.request('/');
    expect(index.headers.get('vary')).toContain('accept');
    expect(await index.json()).toMatchObject({ name: 'mediamill' });

    const policy = html.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(policy).not.toMatch(/https?:/);
    // The one script that stands in the page is the one that the policy names; nothing has a style of its own.
    const inline = [...text.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)].map(
      ([, body]) => body ?? '',
    );
    expect(inline).toHaveLength(1);
    expect(policy).toContain(`'sha256-${hash('sha256', inline[0] ?? '', 'base64')}'`);
    expect(text).not.toMatch(/\bstyle=|\bon\w+=|https?:\/\//);
  });

  it('every module that is imported, as JavaScript without types', async () => {
    const { imports } = JSON.parse(
      /<script type="importmap">([\s\S]*?)<\/script>/.exec(await (await page()).text())?.[1] ?? '',
    ) as { imports: Record<string, string> };
    const seen = new Set<string>();
    const read = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const answer = await server.request(path);
      expect([path, answer.status]).toEqual([path, 200]);
      expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      const text = await answer.text();
      if (path.endsWith('.ts')) expect(text).not.toMatch(/^import type|^export interface/m);
      const names =
        path.includes('/vendor/') && !path.includes('lit-html')
          ? []
          : [...text.matchAll(/(?:\bfrom|^import|\bimport\()\s*["']([^"']+)["']/gm)].map(
              ([, name]) => name ?? '',
            );
      for (const name of names) {
        const directory = Object.keys(imports).find(
          (prefix) => prefix.endsWith('/') && name.startsWith(prefix),
        );
        const target = name.startsWith('.')
          ? new URL(name, new URL(path, server.url)).pathname
          : (imports[name] ??
            `${imports[directory ?? ''] ?? 'unknown:'}${name.slice(directory?.length ?? 0)}`);
        await read(target);
      }
    };
    await read('/console/main.ts');
    const sources = readdirSync(new URL('../../src/console/', import.meta.url), {
      recursive: true,
    }) as string[];
    // Nothing lies there that the page does not use, but for files that are types alone.
    const unused = sources.filter((file) => file.endsWith('.ts') && !seen.has(`/console/${file}`));
    expect(unused.toSorted()).toEqual(['app.ts', 'form-context.ts']);
    expect([...seen].filter((path) => path.includes('vendor')).length).toBeGreaterThan(5);
  });

  it('packed or not, with an ETag for each form, asked about each time', async () => {
    // fetch unpacks by itself, and says so by leaving the header.
    const packed = await server.request('/console/style.css', { headers: { 'accept-encoding': 'gzip' } });
    const plain = await server.request('/console/style.css', { headers: { 'accept-encoding': 'identity' } });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(await packed.text()).toBe(await plain.text());
    expect(packed.headers.get('etag')).not.toBe(plain.headers.get('etag'));
    expect(plain.headers.get('cache-control')).toBe('no-cache');
    expect(plain.headers.get('vary')).toBe('accept-encoding');
    const again = await server.request('/console/style.css', {
      headers: { 'accept-encoding': 'identity', 'if-none-match': plain.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  });

  it('/console leads to the page', async () => {
    const answer = await server.request('/console', { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/']);
  });

  it.each([
    '/console/index.html',
    '/console/tsconfig.json',
    '/console/../package.json',
    '/console/%2e%2e/%2e%2e/package.json',
    '/console/..%2froutes%2fconsole.ts',
    '/console/vendor/../../../package.json',
    '/console/vendor/constructor',
    '/console/vendor/lit-html/package.json',
    '/console/toString',
  ])('nothing else: %s', async (path) => {
    expect(await problemOf(await server.request(path))).toMatchObject({ status: 404 });
  });
});
