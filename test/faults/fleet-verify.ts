// What must hold in a fleet when all faults are mended and all hosts have stopped: of its jobs, its blobs, its uploads.

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { readConfig } from '../../src/config.ts';
import type { Hint } from '../../src/contracts.ts';
import { sweep } from '../../src/jobs/sweeper.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { createLogger } from '../../src/logger.ts';
import { openQueue } from '../../src/queues/open.ts';
import { openRecords } from '../../src/registers/open.ts';
import { openStore } from '../../src/stores/open.ts';
import { openUploads } from '../../src/uploads/open-uploads.ts';
import { blobsIn } from '../support/stored.ts';
import type { Fleet } from './fleet-site.ts';
import type { Sent } from './upload-clients.ts';
import { publishedBy } from './verify-folder.ts';

export interface FleetReport {
  /** Blobs that waited for the sweeper. */
  readonly left: number;
  readonly violations: readonly string[];
}

/** Under which a store says whose it is. */
const MARKS = 'owners/';
/** What uploads are kept under, complete or not. */
const UPLOADS = /^(?:uploads|segments)\//;

/** `jobs`: the ids of all that the fleet told of. `sent`: the uploads that were answered as complete. */
export async function verifyBackends(
  fleet: Fleet,
  jobs: readonly string[],
  sent: readonly Sent[],
): Promise<FleetReport> {
  const violations: string[] = [];
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-verify-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const config = readConfig({ ...fleet.settings, DATA_DIR: folder });
  const log = createLogger({ LOG_LEVEL: 'silent', LOG_FORMAT: 'json' });
  const hints = localHints<Hint>();
  const store = await openStore(config, { owner: 'verifier', log });
  stack.defer(() => store.close());
  const queue = await openQueue(config, { owner: 'verifier', machine: 'verifier', hints, log });
  stack.defer(() => queue.close());
  const records = await openRecords(config);
  stack.defer(() => records.close());

  const known = (await Promise.all(jobs.map((id) => queue.get(id)))).filter((job) => job !== undefined);
  if (known.length !== jobs.length) violations.push(`${jobs.length - known.length} jobs are gone from Redis`);
  const published = publishedBy(known);
  const before = await blobsIn(store);
  await sweep({ queue, store, everyMs: 1, strayAfterMs: -1000, onError: () => undefined });
  const after = await blobsIn(store);
  for (const key of after.keys())
    if (!published.has(key) && !UPLOADS.test(key)) violations.push(`left by the sweeper: ${key}`);
  for (const [key, bytes] of published)
    if (after.get(key) !== bytes)
      violations.push(`${key} has ${after.get(key)} bytes, the job says ${bytes}`);

  let now = Date.now();
  const opened = openUploads({
    store,
    records,
    hints,
    purge: async () => undefined,
    limits: { imageMaxBytes: 1e9, videoMaxBytes: 1e9 },
    ttlSeconds: 1000,
    partTtlSeconds: 1000,
    now: () => now,
  });
  stack.defer(() => opened.close());
  // As young as they are, but old enough to be looked at as strays.
  await opened.uploads.expire(now + 2 * 3_600_000);
  const kept = [...(await blobsIn(store)).keys()];
  for (const { path, bytes } of sent) {
    const id = path.split('/').at(-1) ?? '';
    const own = kept.filter((key) => key.includes(id));
    if (own.length !== 1) violations.push(`${path} has other blobs than its own: ${own.join(', ')}`);
    const stored = await store.read(`uploads/${id}`).then(buffer, () => Buffer.alloc(0));
    if (sha256(stored) !== sha256(bytes)) violations.push(`${path} has other bytes than were sent`);
  }
  now += 365 * 86_400_000;
  await opened.uploads.expire(now);
  const objects = await objectsOf(fleet, config.S3_PREFIX);
  // Whose the bucket is stays written in it.
  const marks = objects.filter((key) => key.startsWith(MARKS));
  if (marks.length > 1) violations.push(`several owners have marked the store: ${marks.join(', ')}`);
  for (const key of objects)
    if (!published.has(key) && !key.startsWith(MARKS)) violations.push(`left for ever: ${key}`);
  return { left: before.size - after.size, violations };
}

/** Every object of the bucket, also what the store does not show. */
async function objectsOf({ s3 }: Fleet, prefix: string): Promise<string[]> {
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
  });
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket: s3.bucket, Prefix: prefix }))
    for (const { Key } of page.Contents ?? []) keys.push((Key ?? '').slice(prefix.length));
  client.destroy();
  return keys;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
