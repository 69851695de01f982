// The data folder after a stop: the database is sound, and the store holds the published results and nothing else.

import { readdir, stat, utimes } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Job } from '../../src/jobs/job.ts';
import { isFinished } from '../../src/jobs/job.ts';
import { sweep } from '../../src/jobs/sweeper.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import type { Hint } from '../../src/contracts.ts';
import { createLogger } from '../../src/logger.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { openDiskStore } from '../../src/stores/disk.ts';

export interface FolderReport {
  /** Files that wait for the sweeper: of uploads that were cut off, and of processes that died before clearing up. */
  readonly left: number;
  readonly violations: readonly string[];
}

/**
 * `jobs`: the ids of all jobs that the server knew. `kills`: processes killed; without any, nothing may be left at
 * all. What is left must be cleared away by one run of the sweeper.
 */
export async function verifyFolder(
  dataDir: string,
  jobs: readonly string[],
  kills: { readonly process: number; readonly primary: number },
): Promise<FolderReport> {
  const violations: string[] = [];
  const path = join(dataDir, 'mediamill.sqlite');
  violations.push(...integrity(path));

  const log = createLogger({ LOG_LEVEL: 'silent', LOG_FORMAT: 'json' });
  const queue = await openSqliteQueue({
    path,
    owner: 'verifier',
    policy: { maxAttempts: 1, ttlSeconds: 3600 },
    leaseSeconds: 60,
    maxWaiting: 1000,
    hints: localHints<Hint>(),
    log,
  });
  const store = await openDiskStore({ root: join(dataDir, 'store'), owner: 'verifier' });
  try {
    const known = (await Promise.all(jobs.map((id) => queue.get(id)))).filter((job) => job !== undefined);
    if (known.length !== jobs.length)
      violations.push(`${jobs.length - known.length} jobs are gone from the database`);
    const published = publishedBy(known);

    const before = await filesOf(dataDir, 'blobs');
    const left = before.filter((key) => !published.has(key));
    if (kills.process + kills.primary === 0) {
      violations.push(...left.map((key) => `left without any kill: ${key} (${statusOf(known, key)})`));
    }
    violations.push(
      ...left
        .filter((key) => statusOf(known, key) === 'open')
        .map((key) => `of a job that has not ended: ${key}`),
    );
    // Only a new primary does not know who died before it; those folders wait until they look dead.
    const works = (await readdir(join(dataDir, 'store/work'))).filter((owner) => owner !== 'verifier');
    if (kills.primary === 0)
      violations.push(...works.map((owner) => `the folder of a dead owner is left: work/${owner}`));

    const longAgo = new Date(Date.now() - 3_600_000);
    for (const owner of works) await utimes(join(dataDir, 'store/work', owner), longAgo, longAgo);
    await sweep({ queue, store, everyMs: 1, strayAfterMs: -1000, onError: () => undefined });

    const after = await filesOf(dataDir, 'blobs');
    violations.push(
      ...after.filter((key) => !published.has(key)).map((key) => `left by the sweeper: ${key}`),
    );
    for (const [key, bytes] of published) {
      const size = await stat(join(dataDir, 'store/blobs', key)).then(
        (found) => found.size,
        () => undefined,
      );
      if (size !== bytes) violations.push(`${key} has ${size} bytes, the job says ${bytes}`);
    }
    const unfinished = await filesOf(dataDir, 'work');
    violations.push(...unfinished.map((file) => `unfinished after the sweeper: work/${file}`));
    return { left: left.length, violations };
  } finally {
    await store.close();
    await queue.close();
  }
}

/** Bytes of each published blob, by its key. */
export function publishedBy(jobs: readonly Job[]): Map<string, number> {
  return new Map(jobs.flatMap(({ results }) => Object.values(results).map(({ key, bytes }) => [key, bytes])));
}

function statusOf(jobs: readonly Job[], key: string): 'unknown' | 'ended' | 'open' {
  const job = jobs.find(({ id }) => key.split('/')[1] === id);
  if (job === undefined) return 'unknown';
  return isFinished(job) ? 'ended' : 'open';
}

function integrity(path: string): string[] {
  const database = new DatabaseSync(path);
  try {
    const rows = database.prepare('PRAGMA integrity_check').all();
    return rows.flatMap((row) =>
      row['integrity_check'] === 'ok' ? [] : [`integrity_check: ${JSON.stringify(row)}`],
    );
  } finally {
    database.close();
  }
}

async function filesOf(dataDir: string, folder: 'blobs' | 'work'): Promise<string[]> {
  const root = join(dataDir, 'store', folder);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}
