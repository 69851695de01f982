// The round of uploads: sent by bad clients to two processes that are killed and paused, and never mixed.

import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { localHints } from '../../src/lib/local-hints.ts';
import type { Hint } from '../../src/contracts.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { openDiskStore } from '../../src/stores/disk.ts';
import { openUploads } from '../../src/uploads/open-uploads.ts';
import { call } from '../support/client.ts';
import { forksOf } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';
import type { Random } from '../support/random.ts';
import type { Report } from './round.ts';
import { openSite } from './site.ts';
import type { Fault, Site } from './site.ts';
import { sendFile, sendInParts } from './upload-clients.ts';
import type { Sent } from './upload-clients.ts';

export interface UploadRound {
  readonly seed: number;
  readonly uploads: number;
  /** Kills and pauses while they are sent. */
  readonly faults: number;
  readonly signal: AbortSignal;
}

/** Longer than the patience with a writer that says nothing, so that a paused one is fenced off. */
const PAUSE_MS = 2300;

export async function uploadRound({ seed, uploads, faults, signal }: UploadRound): Promise<Report> {
  const begun = performance.now();
  const random = seededRandom(seed);
  await using site = await openSite({
    PROCESSES: '2',
    REQUEST_TIMEOUT_SECONDS: '2',
    MIN_UPLOAD_RATE: '1000',
  });
  const over = new AbortController();
  const hurting = hurt(site, seededRandom(seed + 1_000_000), faults, AbortSignal.any([signal, over.signal]));
  let cutOff = 0;
  const sent = await Promise.allSettled(
    Array.from({ length: uploads }, (_, index) => {
      const options = {
        address: () => site.address,
        random: seededRandom(seed * 1000 + index),
        signal,
        complain: (what: string) => void site.violations.push(what),
        cutOff: () => void cutOff++,
      };
      const bytes = film(random.between(200_000, 4_000_000));
      return index === 1 ? sendInParts(bytes, options) : sendFile(bytes, false, options);
    }),
  );
  over.abort();
  await hurting;
  // How soon orphans are gone is what the random rounds look at; here they would be those that are just starting.
  const violations = site.violations.filter((each) => !/only after \d+ ms$/.test(each));
  const done: Sent[] = [];
  for (const each of sent) {
    if (each.status === 'fulfilled') done.push(each.value);
    else violations.push(String(each.reason));
  }
  for (const one of done) violations.push(...(await verify(site, one)));
  const exit = await site.program.stop();
  if (exit.code !== 0) violations.push(`the stop ended with ${exit.code ?? exit.signal}`);
  const left = await verifyLeft(site.dataDir, done, violations);
  return {
    name: `uploads ${seed}`,
    jobs: done.length,
    kills: site.kills,
    broken: cutOff,
    attempts: 0,
    left,
    orphanMs: Math.round(site.longestOrphanMs),
    seconds: (performance.now() - begun) / 1000,
    violations,
  };
}

/** An MKV by its first bytes. */
function film(bytes: number): Buffer {
  return Buffer.concat([Buffer.from('1a45dfa3a34286844282886d6174726f736b61', 'hex'), randomBytes(bytes)]);
}

async function hurt(site: Site, random: Random, faults: number, signal: AbortSignal): Promise<void> {
  for (let done = 0; done < faults && !signal.aborted; done++) {
    await sleep(random.between(20, 400), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    if (random.next() < 0.25) await pause(site, random);
    else
      await site.hurt(
        random.pick<Fault>(['process', 'process', 'process', 'process', 'process', 'primary']),
        random,
      );
  }
}

async function pause(site: Site, random: Random): Promise<void> {
  const forks = forksOf(site.program.pid);
  if (forks.length === 0) return;
  const victim = random.pick(forks);
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(victim, signal);
    } catch {
      // It has ended meanwhile.
    }
  };
  send('SIGSTOP');
  try {
    await sleep(PAUSE_MS);
  } finally {
    send('SIGCONT');
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function verify(site: Site, { path, bytes }: Sent): Promise<string[]> {
  const answer = await call(site.address, path);
  const upload = answer.json() as { status?: string; bytes?: number };
  if (answer.status !== 200 || upload.status !== 'complete' || upload.bytes !== bytes.length)
    return [`${path} is ${answer.status}, ${upload.status} with ${upload.bytes} of ${bytes.length} bytes`];
  const id = path.split('/').at(-1) ?? '';
  const blob = await readFile(join(site.dataDir, 'store/blobs/uploads', id)).catch(() => Buffer.alloc(0));
  return sha256(blob) === sha256(bytes) ? [] : [`${path} has other bytes than were sent`];
}

/** What is left after a sweep belongs to somebody; what is left when all have expired is nothing. */
async function verifyLeft(dataDir: string, sent: readonly Sent[], violations: string[]): Promise<number> {
  const records = await openSqliteRecords({ path: join(dataDir, 'records.sqlite') });
  const store = await openDiskStore({ root: join(dataDir, 'store'), owner: 'verifier' });
  let now = Date.now();
  const opened = openUploads({
    store,
    records,
    hints: localHints<Hint>(),
    purge: async () => undefined,
    limits: { imageMaxBytes: 1e9, videoMaxBytes: 1e9 },
    ttlSeconds: 1000,
    partTtlSeconds: 1000,
    now: () => now,
  });
  const files = async (): Promise<string[]> =>
    (await readdir(join(dataDir, 'store/blobs'), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
  try {
    const left = await files();
    // As young as they are, but old enough to be looked at as strays.
    await opened.uploads.expire(now + 2 * 3_600_000);
    const after = await files();
    for (const { path } of sent) {
      const id = path.split('/').at(-1) ?? '';
      const own = after.filter((file) => file.includes(id));
      if (own.length !== 1) violations.push(`${path} has other files than its own: ${own.join(', ')}`);
    }
    now += 365 * 86_400_000;
    await opened.uploads.expire(now);
    violations.push(...(await files()).map((file) => `left for ever: ${file}`));
    return left.filter((file) => !after.includes(file)).length;
  } finally {
    await opened.close();
    await store.close();
    await records.close();
  }
}
