// How much there is to move, and whether all of it has come.

import { isDeepStrictEqual } from 'node:util';
import type { KeptRecord } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { isFinished } from '../jobs/job.ts';
import { blobsOf, hasBlob } from './blobs.ts';
import { unfinishedUpload } from './documents.ts';
import { inParallel, jobsOf, patiently, recordsOf } from './place.ts';
import type { Place } from './place.ts';

export interface Amount {
  readonly files: number;
  /** Of the files, and of unfinished uploads. */
  readonly bytes: number;
  readonly records: number;
  readonly jobs: number;
}

/** What is at `from` and not at `to`; without `to` all of it. */
export async function survey(from: Place, to: Place | undefined, many: number): Promise<Amount> {
  const amount = { files: 0, bytes: 0, records: 0, jobs: 0 };
  if (from.store !== to?.store) {
    await inParallel(blobsOf(from.store), many, async (blob) => {
      if (to !== undefined && (await patiently(() => hasBlob(to.store, blob)))) return;
      amount.files++;
      amount.bytes += blob.bytes;
    });
  }
  await inParallel(recordsOf(from.records), many, async (record) => {
    const stays = from.records === to?.records;
    const { kind: name, id } = record;
    if (to !== undefined && !stays && (await patiently(() => to.records.get({ name }, id)))) return;
    if (!stays) amount.records++;
    if (from.store !== to?.store)
      for (const { bytes } of unfinishedUpload(record)?.segments ?? []) amount.bytes += bytes;
  });
  if (from.queue !== to?.queue) {
    await inParallel(jobsOf(from.queue), many, async ({ job }) => {
      if (to !== undefined && (await patiently(() => to.queue.get(job.id))) !== undefined) return;
      amount.jobs++;
    });
  }
  return amount;
}

export interface Verdict {
  /** There, as at the source. */
  readonly checked: Amount;
  /** What is at the source and not there, as far as it is worth saying. */
  readonly lost: readonly string[];
  /** Named by a job, and nowhere. */
  readonly missing: readonly string[];
}

const MOST_SAID = 20;

/** Compares everything: files and the beginnings of uploads by key and size, records and jobs word for word; and looks for each file that a job names. */
export async function verify(from: Place, to: Place, many: number): Promise<Verdict> {
  const checked = { files: 0, bytes: 0, records: 0, jobs: 0 };
  const lost: string[] = [];
  const missing: string[] = [];
  const note = (list: string[], what: string): void => {
    if (list.length < MOST_SAID) list.push(what);
    else if (list.length === MOST_SAID) list.push('and more');
  };
  if (from.store !== to.store) {
    await inParallel(blobsOf(from.store), many, async (blob) => {
      if (!(await patiently(() => hasBlob(to.store, blob)))) return note(lost, `the file ${blob.key}`);
      checked.files++;
      checked.bytes += blob.bytes;
    });
  }
  const checkBegun = async (record: KeptRecord): Promise<void> => {
    for (const { key, bytes } of unfinishedUpload(record)?.segments ?? []) {
      const isAt = async ({ store }: Place): Promise<boolean> =>
        ((await patiently(() => store.stat(key)))?.bytes ?? 0) >= bytes;
      if (await isAt(to)) checked.bytes += bytes;
      else if (await isAt(from)) note(lost, `${bytes} bytes of the unfinished upload ${record.id}`);
    }
  };
  if (from.store !== to.store) await inParallel(recordsOf(from.records), many, checkBegun);
  if (from.records !== to.records) {
    await inParallel(recordsOf(from.records), many, async ({ kind, id, value, expiresAt }) => {
      const there = await patiently(() => to.records.get({ name: kind }, id));
      // The version may be a higher one, if that place has had such an id before.
      if (there !== undefined && isDeepStrictEqual(there.value, value)) checked.records++;
      // It may have expired since it was read.
      else if (there !== undefined || expiresAt === null || expiresAt > Date.now()) {
        note(lost, `the record ${kind} ${id}${there === undefined ? '' : ', which is another one there'}`);
      }
    });
  }
  await inParallel(jobsOf(from.queue), many, async ({ job }) => {
    const there = await patiently(() => to.queue.get(job.id));
    if (there !== undefined && (from.queue === to.queue || isTheSame(job, there))) checked.jobs++;
    else note(lost, `the job ${job.id}${there === undefined ? '' : ', which is another one there'}`);
    for (const file of filesOf(job)) {
      // What is at the source has been looked for above.
      if (from.store !== to.store && (await patiently(() => hasBlob(from.store, file)))) continue;
      if (await patiently(() => hasBlob(to.store, file))) continue;
      note(missing, `${file.key} of the job ${job.id}`);
    }
  });
  return { checked, lost, missing };
}

/** One that ran waits again, or has ended if it was to be cancelled. */
function isTheSame(job: Job, there: Job): boolean {
  if (job.status !== 'running') return isDeepStrictEqual(there, job);
  const status = job.cancelRequested ? 'cancelled' : 'queued';
  return there.status === status && there.revision > job.revision;
}

/** What a job cannot do without: its source until it has ended, its results afterwards. */
function filesOf(job: Job): { readonly key: string; readonly bytes: number }[] {
  const { source, results } = job;
  if (!isFinished(job)) {
    return source.bytes === null ? [] : [{ key: source.key, bytes: source.bytes }];
  }
  return Object.values(results).flatMap((output) => [...(output.files ?? [output])]);
}
