// Moves records and jobs. What is there already came with an earlier run of the same move.

import type { KeptRecord } from '../contracts.ts';
import { isWhole, UPLOADS } from '../uploads/upload-record.ts';
import type { UploadRecord } from '../uploads/upload-record.ts';
import { uploadKey } from '../uploads/upload-names.ts';
import { copySegment } from './blobs.ts';
import { inParallel, jobsOf, patiently, recordsOf } from './place.ts';
import type { Place } from './place.ts';

export interface DocumentsOptions {
  readonly from: Place;
  readonly to: Place;
  /** Under way at once. */
  readonly many: number;
  readonly signal: AbortSignal;
  /** One is there now; `sent`: it was not before. */
  readonly done: (sent: boolean) => void;
  /** Bytes of unfinished uploads that have just gone out. */
  readonly sent: (bytes: number) => void;
  /** Something is not as it should be, and a person should know. */
  readonly warn: (message: string) => void;
}

/** Each record after the bytes that it names, so none is there whose upload is not. */
export async function moveRecords(options: DocumentsOptions): Promise<void> {
  const { from, to, many, signal, done } = options;
  await inParallel(recordsOf(from.records), many, async (record) => {
    signal.throwIfAborted();
    const stays = from.records === to.records;
    const upload = unfinishedUpload(record);
    const isThere =
      !stays && (await patiently(() => to.records.get({ name: record.kind }, record.id), signal));
    if (upload !== undefined && from.store !== to.store && !isThere) {
      await moveSegments(record.id, upload, options);
    }
    if (!stays) done(!isThere && (await patiently(() => to.records.restore(record), signal)));
  });
}

/** Upload records that name segments. */
export function unfinishedUpload({ kind, value }: KeptRecord): UploadRecord | undefined {
  if (kind !== UPLOADS.name) return undefined;
  const record = value as UploadRecord;
  return record.completedAt === null && record.segments.length > 0 ? record : undefined;
}

async function moveSegments(
  id: string,
  record: UploadRecord,
  { from, to, signal, sent, warn }: DocumentsOptions,
): Promise<void> {
  for (const segment of record.segments) {
    const has = (await from.store.stat(segment.key))?.bytes ?? -1;
    if (has >= segment.bytes) {
      await patiently(() => copySegment(from.store, to.store, segment, sent), signal);
    } else if (!isWhole(record) || (await from.store.stat(uploadKey(id))) === undefined) {
      // If it is whole, it has become the upload's one file already.
      warn(`The upload ${id} lacks bytes that it should have, here already: it has to be sent again.`);
    }
  }
}

/** After all files: a job that is there can be worked on, and its results be fetched. */
export async function moveJobs({
  from,
  to,
  many,
  signal,
  done,
}: Omit<DocumentsOptions, 'sent' | 'warn'>): Promise<void> {
  // Before the first event, so that whoever comes back with a number of the old place is told what it has missed.
  const newest = await patiently(() => from.queue.newestEvent(), signal);
  await patiently(() => to.queue.skipEvents(newest), signal);
  await inParallel(jobsOf(from.queue), many, async (kept) => {
    signal.throwIfAborted();
    done(await patiently(() => to.queue.restore(kept), signal));
  });
}
