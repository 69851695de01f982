import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import type { BlobStore, Hint } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { openUploads } from '../../src/uploads/open-uploads.ts';

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20_000, 'p')]);

it('does not put together what was removed while it waited in the line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-line-'));
  const disk = await openDiskStore({ root: join(folder, 'store'), owner: 'me' });
  const records = await openSqliteRecords({ path: join(folder, 'records.sqlite') });
  let joins = 0;
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const store: BlobStore = {
    ...disk,
    async join(pieces, to, options) {
      joins++;
      await gate;
      return disk.join(pieces, to, options);
    },
  };
  const opened = openUploads({
    store,
    records,
    hints: localHints<Hint>(),
    purge: async () => undefined,
    limits: { imageMaxBytes: 100_000, videoMaxBytes: 1_000_000 },
    ttlSeconds: 86_400,
    partTtlSeconds: 86_400,
    joinWaitMs: 1,
  });
  const { id: part } = await opened.receiver.create({
    tenant: 'a',
    name: null,
    length: PNG.length,
    metadata: null,
    concat: 'partial',
  });
  await opened.receiver.receive(part, 'a', { offset: 0, body: Readable.from([PNG], { objectMode: false }) });
  for (let i = 0; i < 8; i++) {
    const { id } = await opened.concatenate({ tenant: 'a', name: null, metadata: null, parts: [part] });
    await opened.uploads.remove(id, 'a');
  }
  // Asked for last, it comes after all that wait.
  const { id: last } = await opened.concatenate({ tenant: 'a', name: null, metadata: null, parts: [part] });
  open();
  await expect.poll(async () => (await opened.uploads.find(last, 'a'))?.bytes).toBe(PNG.length);
  // Two had begun before they were removed.
  expect(joins).toBe(3);
  await opened.close();
  await records.close();
  await disk.close();
  await rm(folder, { recursive: true, force: true });
});
