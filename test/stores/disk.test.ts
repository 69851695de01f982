import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { openDiskStore } from '../../src/stores/disk.ts';
import { storeContract } from '../contracts/store.ts';

async function root(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'mediamill-store-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

storeContract('DiskStore', async () => {
  const folder = await root();
  const store = await openDiskStore({ root: folder.path, owner: 'test' });
  return {
    store,
    async end() {
      await store.close();
      await folder[Symbol.asyncDispose]();
    },
  };
});

it('leaves no unfinished file when a body breaks off', async () => {
  await using folder = await root();
  const store = await openDiskStore({ root: folder.path, owner: 'me' });
  const put = store.put('sources/a', Readable.from([Buffer.alloc(200)]), { maxBytes: 100 });
  await expect(put).rejects.toMatchObject({ code: 'payload_too_large' });
  expect(await readdir(join(folder.path, 'work', 'me'))).toEqual([]);
  await store.close();
});

it('clears away what dead owners left, and nobody else', async () => {
  await using folder = await root();
  const [me, dead, silent] = await Promise.all(
    ['me', 'dead', 'silent'].map((owner) => openDiskStore({ root: folder.path, owner })),
  );
  await me?.scratch('job');
  await dead?.scratch('job');
  await silent?.scratch('job');
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(folder.path, 'work', 'silent'), longAgo, longAgo);

  await me?.tidy('dead');
  expect((await readdir(join(folder.path, 'work'))).toSorted()).toEqual(['me', 'silent']);
  await me?.tidy();
  expect(await readdir(join(folder.path, 'work'))).toEqual(['me']);
  await Promise.all([me?.close(), dead?.close(), silent?.close()]);
});

it('works on when its folder of unfinished files was taken for a dead one', async () => {
  await using folder = await root();
  const store = await openDiskStore({ root: folder.path, owner: 'me' });
  await rm(join(folder.path, 'work', 'me'), { recursive: true });
  await store.put('sources/a', Readable.from([Buffer.from('x')]), { maxBytes: 10 });
  expect(await store.stat('sources/a')).toMatchObject({ bytes: 1 });
  await store.close();
});
