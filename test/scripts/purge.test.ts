import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { sourceMark, variantMark } from '../../src/lib/cache-key.ts';
import { openImageCache } from '../../src/stores/image-cache.ts';
import { BARE_ENV } from '../support/bare-env.ts';

it('forgets the renditions of the sources that are named', async () => {
  const DATA_DIR = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
  const open = () =>
    openImageCache({ root: join(DATA_DIR, 'cache'), maxBytes: 1e6, processes: 1, onError: console.error });
  const keys = ['https://example.com/a.jpg', 'https://example.com/b.jpg'].map((url) => ({
    source: sourceMark(url, 'default'),
    variant: variantMark('small'),
  }));
  const cache = await open();
  for (const key of keys) {
    await cache.make(key, async () => ({
      facts: {
        etag: '"1"',
        version: '',
        freshMs: null,
        mediaType: 'image/png',
        width: 1,
        height: 1,
        decisions: [],
      },
      data: Buffer.from('picture'),
    }));
  }
  await cache.close();
  const purge = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['scripts/purge.ts', ...args], {
      env: { ...BARE_ENV, DATA_DIR },
    });
  await purge('https://EXAMPLE.com:443/x/../a.jpg#part');
  const after = await open();
  const found = await Promise.all(keys.map(async (key) => (await after.find(key)) !== undefined));
  expect(found).toEqual([false, true]);
  await expect(purge()).rejects.toMatchObject({ code: 2 });
  await rm(DATA_DIR, { recursive: true });
});
