// Which store is opened, and that the SDK of S3 is loaded only for S3.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openStore } from '../../src/stores/open.ts';

it('is a folder unless it is said otherwise', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-open-'));
  try {
    const store = await openStore(readConfig({ DATA_DIR: folder }), { owner: 'me' });
    expect((await stat(join(folder, 'store', 'blobs'))).isDirectory()).toBe(true);
    expect(store).not.toHaveProperty('link');
    await store.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('loads no SDK of S3 for a server of one machine', async () => {
  const server = resolve(import.meta.dirname, '../../src/server.ts');
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = new Set();
    registerHooks({ resolve(name, context, next) { loaded.add(name); return next(name, context); } });
    await import(${JSON.stringify(server)});
    console.log(JSON.stringify([...loaded].filter((name) => name.startsWith('@aws-sdk/') || name === 'fastify')));
  `;
  const run = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(JSON.parse(run.stdout)).toEqual(['fastify']);
});
