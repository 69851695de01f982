// Where a server keeps what must not be lost, and how one walks through all of it.

import type { BlobStore, JobQueue, KeptJob, KeptRecord, Records } from '../contracts.ts';
import { STORE_OWNER } from '../jobs/store-owner.ts';
import { pause } from '../lib/pause.ts';
import { isAway } from '../problems.ts';

export interface Place {
  readonly queue: Pick<JobQueue, 'dump' | 'restore' | 'get' | 'newestEvent' | 'skipEvents'>;
  readonly records: Pick<Records, 'dump' | 'restore' | 'get'>;
  readonly store: Pick<BlobStore, 'list' | 'stat' | 'read' | 'put' | 'append' | 'delete'>;
}

/** Below these lie all files that jobs, uploads and records name; segments of unfinished uploads are found by their records. */
export const BLOB_FOLDERS = ['sources/', 'results/', 'chunks/', 'uploads/'] as const;

const PAGE = 200;
const TRIES = 10;
const LONGEST_PAUSE_MS = 10_000;

/** All jobs, by id. */
export async function* jobsOf(queue: Place['queue']): AsyncGenerator<KeptJob> {
  let last: string | undefined;
  for (;;) {
    const page = await patiently(() => queue.dump(last, PAGE));
    yield* page;
    last = page.at(-1)?.job.id;
    if (page.length < PAGE) return;
  }
}

/** All records, by kind and id; but not whose store it is, which `handOver` takes care of. */
export async function* recordsOf(records: Place['records']): AsyncGenerator<KeptRecord> {
  let last: KeptRecord | undefined;
  for (;;) {
    const page = await patiently(() => records.dump(last, PAGE));
    yield* page.filter(({ kind }) => kind !== STORE_OWNER.name);
    last = page.at(-1);
    if (page.length < PAGE) return;
  }
}

/** Calls again while the backend cannot be reached: for about a minute. */
export async function patiently<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!isAway(error) || tries === TRIES) throw error;
    }
    await pause(Math.min(50 * 2 ** tries, LONGEST_PAUSE_MS), signal);
  }
}

/** At most `many` at once, and no more of `items` in memory than that. Rejects with the first failure, when none runs any more. */
export async function inParallel<T>(
  items: AsyncIterable<T>,
  many: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (failure === undefined) {
      try {
        const next = await iterator.next();
        if (next.done === true) return;
        await work(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: many }, worker));
  if (failure !== undefined) {
    await iterator.return?.();
    throw failure.error;
  }
}
