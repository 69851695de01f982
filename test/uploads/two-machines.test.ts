// Two machines of a fleet, whose clocks differ, and one upload: they hear each other over Redis alone.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BlobStore, Hint } from '../../src/contracts.ts';
import { idempotentCalls } from '../../src/idempotency/calls.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { fleetHints } from '../../src/redis/fleet-hints.ts';
import { openRedisRecords } from '../../src/registers/redis-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { openUploads } from '../../src/uploads/open-uploads.ts';
import { UPLOADS } from '../../src/uploads/upload-record.ts';
import { startRedis } from '../support/redis.ts';

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20_000, 'p')]);
const log = { warn: () => undefined };

let stack: AsyncDisposableStack;
let url: string;
let store: BlobStore;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-machines-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  ({ url } = stack.use(await startRedis()));
  store = await openDiskStore({ root: folder, owner: 'all' });
  stack.defer(() => store.close());
});
afterEach(() => stack.disposeAsync());

async function machineOf(machine: string) {
  const records = await openRedisRecords({ url, prefix: 'test', log });
  stack.defer(() => records.close());
  const hints = fleetHints({ local: localHints<Hint>(), url, prefix: 'test', machine, log });
  stack.defer(() => hints.close());
  await hints.heard;
  const opened = openUploads({
    store,
    records,
    hints,
    purge: async () => undefined,
    limits: { imageMaxBytes: 100_000, videoMaxBytes: 100_000 },
    ttlSeconds: 3600,
    partTtlSeconds: 3600,
    // Whoever does not hear is waited for longer than a test lasts.
    patienceMs: 600_000,
    joinWaitMs: 20_000,
  });
  stack.defer(() => opened.close());
  return { records, opened };
}

it('a writer on one machine ends when another goes on with its upload', async () => {
  const [one, two] = [await machineOf('one'), await machineOf('two')];
  const asked = { tenant: 'a', name: null, length: PNG.length, metadata: null, concat: null };
  const { id } = await one.opened.receiver.create(asked);
  const body = new PassThrough();
  body.write(PNG.subarray(0, 9000));
  const left = one.opened.receiver.receive(id, 'a', { offset: 0, body }).catch((error: unknown) => error);
  await expect.poll(async () => (await two.records.get(UPLOADS, id))?.value.writer ?? null).not.toBeNull();
  const { offset } = (await two.opened.settle(id, 'a')).value;
  expect(await left).toMatchObject({ code: 'upload_locked' });
  const rest = Readable.from([PNG.subarray(offset)], { objectMode: false });
  const done = await two.opened.receiver.receive(id, 'a', { offset, body: rest });
  expect(done.completedAt).not.toBeNull();
  expect((await buffer(await store.read(`uploads/${id}`))).equals(PNG)).toBe(true);
  expect((await one.opened.uploads.find(id, 'a'))?.bytes).toBe(PNG.length);
});

it('a call that is under way on one machine is so on another, also if its clock runs ahead', async () => {
  const [one, two] = [await machineOf('one'), await machineOf('two')];
  const real = Date.now;
  const call = { tenant: 'a', key: 'k', target: 'POST /v1/jobs' };
  const options = { keepSeconds: 3600, leaseSeconds: 10 };
  await idempotentCalls({ records: one.records, ...options }).begin(call);
  Date.now = () => real() + 3_600_000;
  stack.defer(() => void (Date.now = real));
  const again = idempotentCalls({ records: two.records, ...options }).begin(call);
  await expect(again).rejects.toMatchObject({ code: 'idempotency_in_flight' });
});
