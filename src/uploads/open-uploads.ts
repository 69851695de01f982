// All of the uploads' parts, put together.

import type { BlobStore, HintBus, Records } from '../contracts.ts';
import { createClaims } from './claims.ts';
import { createCompletion } from './completion.ts';
import type { Completion, UploadLimits } from './completion.ts';
import { createReceiver } from './receiver.ts';
import type { Receiver } from './receiver.ts';
import { createUploads } from './uploads.ts';
import type { Uploads } from './uploads.ts';

export interface OpenUploadsOptions {
  readonly store: BlobStore;
  readonly records: Records;
  readonly hints: HintBus;
  /** Forgets what was made of a source, by its mark. */
  readonly purge: (source: string) => Promise<void>;
  readonly limits: UploadLimits;
  readonly ttlSeconds: number;
  /** Of unfinished ones, after their last byte. */
  readonly partTtlSeconds: number;
  readonly patienceMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface OpenUploads {
  readonly uploads: Uploads;
  readonly receiver: Receiver;
  readonly settle: Completion['settle'];
  /** Ends what is being received here, and keeps what has come. */
  close(): Promise<void>;
}

export function openUploads(options: OpenUploadsOptions): OpenUploads {
  const complete = (id: string, tenant: string): Promise<unknown> => completion.settle(id, tenant);
  const uploads = createUploads({
    ...options,
    complete,
    stop: (id) => options.hints.publish({ topic: 'upload', id }),
  });
  const claims = createClaims({ ...options, look: (id, tenant) => uploads.look(id, tenant) });
  const completion = createCompletion({
    ...options,
    claims,
    clear: (id, tenant) => uploads.clear(id, tenant),
  });
  const receiver = createReceiver({ ...options, claims, completion });
  return {
    uploads,
    receiver,
    settle: (id, tenant) => completion.settle(id, tenant),
    close: () => claims.close(),
  };
}
