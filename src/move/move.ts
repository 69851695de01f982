// Everything from one place to another: files, then what names them. Run again, it goes on where it was broken off.

import { copyBlobs } from './blobs.ts';
import { moveJobs, moveRecords } from './documents.ts';
import { survey, verify } from './survey.ts';
import type { Amount, Verdict } from './survey.ts';
import type { Place } from './place.ts';

export interface MoveOptions {
  readonly from: Place;
  /** What is the very same object as at `from` stays where it is: the store, or records and queue. */
  readonly to: Place;
  /** Files under way at once; of records and jobs four times as many. */
  readonly many: number;
  readonly signal: AbortSignal;
  /** Told often, and never late by more than one file. */
  readonly told: (progress: MoveProgress) => void;
  readonly warn: (message: string) => void;
}

export interface MoveProgress {
  readonly step: 'files' | 'records' | 'jobs' | 'check';
  /** So far: what was sent, and what was there already. */
  readonly done: Amount;
  readonly total: Amount;
  /** Bytes that went out in this run. */
  readonly sentBytes: number;
}

export interface Moved extends Verdict {
  /** By this run. */
  readonly sent: Amount;
  readonly total: Amount;
}

/**
 * Copies, and deletes nothing at `from`. Nobody may work there meanwhile. Safe to be killed at any moment: nothing at `to`
 * names a file that is not there. Rejects with the first failure, or with the signal's reason.
 */
export async function move({ from, to, many, signal, told, warn }: MoveOptions): Promise<Moved> {
  const all = await survey(from, undefined, many);
  const copiesFiles = from.store !== to.store;
  const movesDocuments = from.queue !== to.queue;
  const total: Amount = {
    files: copiesFiles ? all.files : 0,
    bytes: copiesFiles ? all.bytes : 0,
    records: movesDocuments ? all.records : 0,
    jobs: movesDocuments ? all.jobs : 0,
  };
  const done = { files: 0, bytes: 0, records: 0, jobs: 0 };
  const sent = { files: 0, bytes: 0, records: 0, jobs: 0 };
  const tell = (step: MoveProgress['step']): void => told({ step, done, total, sentBytes: sent.bytes });
  const count = (what: 'files' | 'records' | 'jobs', isSent: boolean): void => {
    done[what]++;
    if (isSent) sent[what]++;
    tell(what);
  };
  const bytesSent = (bytes: number): void => {
    sent.bytes += bytes;
    done.bytes += bytes;
    tell('files');
  };

  if (copiesFiles) {
    await copyBlobs({
      from: from.store,
      to: to.store,
      many,
      signal,
      sent: bytesSent,
      done({ bytes }, isSent) {
        if (!isSent) done.bytes += bytes;
        count('files', isSent);
      },
    });
  }
  const documents = { from, to, many: 4 * many, signal, sent: bytesSent, warn };
  await moveRecords({ ...documents, done: (isSent) => count('records', isSent) });
  if (movesDocuments) await moveJobs({ ...documents, done: (isSent) => count('jobs', isSent) });
  tell('check');
  return { ...(await verify(from, to, many)), sent, total };
}
