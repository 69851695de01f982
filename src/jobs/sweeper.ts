// Clears away what nobody will ask for again: expired jobs, and files that belong to no job.

import type { BlobStore, JobQueue, Records } from '../contracts.ts';
import { nowAndThen } from '../lib/now-and-then.ts';
import { isFinished } from './job.ts';
import type { Job } from './job.ts';
import type { Aftermath } from './aftermath.ts';
import { removeJob, settle } from './runner.ts';
import type { Uploads } from '../uploads/uploads.ts';

export interface SweeperOptions {
  readonly queue: JobQueue;
  readonly store: BlobStore;
  /** What is owed for the ends of jobs, which is done before they are removed. */
  readonly aftermath?: Pick<Aftermath, 'workOff' | 'settleUp'>;
  /** Stored sources, which expire by themselves. */
  readonly uploads?: Pick<Uploads, 'expire'>;
  /** Which expire by themselves, too. */
  readonly records?: Pick<Records, 'prune'> & Partial<Pick<Records, 'now'>>;
  /** Milliseconds between two sweeps; each waits between half and the whole of it, so that processes spread out. */
  readonly everyMs: number;
  /** A file without a job is an upload under way until it is so old, in milliseconds. */
  readonly strayAfterMs: number;
  /** Whether it is this process's turn, where several machines share what is swept: of everything that is shared, and of files without a job. */
  readonly maySweep?: () => Promise<boolean>;
  readonly maySweepStrays?: () => Promise<boolean>;
  /** Called now and then while a sweep lasts, so that no other process thinks it over. */
  readonly keepTurn?: () => Promise<void>;
  /** Milliseconds between two such calls, 10 s if not said. */
  readonly keepEveryMs?: number;
  /** Asked before a file without a job is removed. Rejects where its job may only have been forgotten. */
  readonly assertKnown?: () => Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly now?: () => number;
}

export interface Swept {
  readonly jobs: number;
  readonly files: number;
}

const BATCH = 100;
/** Jobs that are removed at once: with a store over the network each takes some round trips. */
const AT_ONCE = 16;
const KEEP_EVERY_MS = 10_000;
/** A job whose end cannot be told is kept for so long after its time, in milliseconds. */
const KEPT_FOR_ITS_END_MS = 86_400_000;

/** One sweep. Safe in several processes at once: every step may be done twice. */
export async function sweep(options: SweeperOptions, isClosed: () => boolean = () => false): Promise<Swept> {
  const { store, maySweep = always, keepTurn, keepEveryMs = KEEP_EVERY_MS } = options;
  // What lies on this machine is nobody else's to tidy.
  await store.tidy();
  if (!(await maySweep())) return { jobs: 0, files: 0 };
  // A turn that is lost all the same costs only what is done twice.
  const keeping = keepTurn && setInterval(() => void keepTurn().catch(() => undefined), keepEveryMs);
  try {
    return await sweepShared(options, isClosed);
  } finally {
    clearInterval(keeping);
  }
}

async function sweepShared(options: SweeperOptions, isClosed: () => boolean): Promise<Swept> {
  const { uploads, records, strayAfterMs, assertKnown, now = records?.now ?? Date.now } = options;
  const { maySweepStrays = always } = options;
  const jobs = await removeExpired(options, now, isClosed);
  if (records !== undefined) await prune(records, now(), isClosed);
  const strays = (await maySweepStrays()) ? { afterMs: strayAfterMs, assertKnown } : null;
  const expired = (await uploads?.expire(now(), strays)) ?? 0;
  if (strays === null) return { jobs, files: expired };
  return { jobs, files: expired + (await sweepStrays(options, now() - strayAfterMs, isClosed)) };
}

const always = async (): Promise<boolean> => true;

/** Past those that cannot be removed now: what is owed for their end could not be done. Their number is that of the others. */
async function removeExpired(
  { queue, store, aftermath, onError }: SweeperOptions,
  now: () => number,
  isClosed: () => boolean,
): Promise<number> {
  const kept = new Set<string>();
  let jobs = 0;
  let first: unknown;
  const remove = async (job: Job): Promise<void> => {
    try {
      await removeJob({ queue, store, aftermath: isOverdue(job, now()) ? undefined : aftermath }, job.id);
      jobs++;
    } catch (error) {
      kept.add(job.id);
      first ??= error;
    }
  };
  for (;;) {
    const limit = Math.max(BATCH, 2 * kept.size);
    const expired = await queue.expired(now(), limit);
    const due = expired.filter(({ id }) => !kept.has(id));
    for (let at = 0; at < due.length && !isClosed(); at += AT_ONCE) {
      await Promise.all(due.slice(at, at + AT_ONCE).map(remove));
    }
    if (expired.length < limit || isClosed()) break;
  }
  if (kept.size > 0) onError(new Error(`${kept.size} expired jobs could not be removed`, { cause: first }));
  return jobs;
}

/** What could not be done for so long will not be done any more, and its files take room. */
function isOverdue({ expiresAt }: Job, now: number): boolean {
  return expiresAt !== null && now - expiresAt > KEPT_FOR_ITS_END_MS;
}

async function prune(
  records: Pick<Records, 'prune'>,
  before: number,
  isClosed: () => boolean,
): Promise<void> {
  let pruned = BATCH;
  while (pruned === BATCH && !isClosed()) pruned = await records.prune(before, BATCH);
}

async function sweepStrays(
  { queue, store, assertKnown }: SweeperOptions,
  before: number,
  isClosed: () => boolean,
): Promise<number> {
  let files = 0;
  for (const prefix of ['sources/', 'results/', 'chunks/']) {
    let last: { readonly id: string; readonly job: Job | undefined; settled?: true } | undefined;
    for await (const { key, modifiedAt } of store.list(prefix)) {
      if (isClosed()) return files;
      const id = key.split('/')[1];
      if (modifiedAt > before || id === undefined) continue;
      // The files of a job come together, and a stream has thousands: it is asked for once.
      if (last?.id !== id) last = { id, job: await queue.get(id) };
      const { job } = last;
      if (job === undefined) {
        // After it was not found: whoever forgets it later has not forgotten it then.
        await assertKnown?.();
        await store.delete(key);
        files++;
      } else if (isFinished(job) && last.settled !== true && !isPublished(job, key)) {
        // Its process died between the commit and the clearing up.
        await settle(store, job);
        last.settled = true;
      }
    }
  }
  return files;
}

function isPublished({ results }: Job, key: string): boolean {
  return Object.values(results).some(
    ({ key: own, folder, files }) =>
      own === key ||
      (folder !== undefined && key.startsWith(folder)) ||
      files?.some((file) => file.key === key),
  );
}

/** Sweeps from time to time until closed, which also breaks off a sweep under way. */
export function startSweeper(options: SweeperOptions): { close(): Promise<void> } {
  return nowAndThen(options.everyMs, (isClosed) => sweep(options, isClosed).catch(options.onError));
}
