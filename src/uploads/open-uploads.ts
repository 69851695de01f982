// All of the uploads' parts, put together.

import type { BlobStore, HintBus, Meters, Records } from '../contracts.ts';
import { createClaims } from './claims.ts';
import { createCompletion } from './completion.ts';
import type { Completion } from './completion.ts';
import { createConcatenation } from './concatenation.ts';
import type { Concatenate } from './concatenation.ts';
import type { UploadLimits } from './judge.ts';
import { createOpenPlaces, NO_PLACES } from './open-places.ts';
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
  /** How many a tenant may have that are not finished, or parts. Unset: nobody counts them. */
  readonly open?: { readonly meters: Pick<Meters, 'enter' | 'renew' | 'leave'>; readonly most: number };
  /** Told why one could not be put together (it is kept, and tried again), or not be counted. */
  readonly onError?: (error: unknown, id: string) => void;
  readonly patienceMs?: number;
  /** How long a request waits for what is put together, in milliseconds. */
  readonly joinWaitMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface OpenUploads {
  readonly uploads: Uploads;
  readonly receiver: Receiver;
  readonly concatenate: Concatenate;
  settle(id: string, tenant: string): ReturnType<Completion['settle']>;
  /** Ends what is being received or put together here, and keeps what has come. */
  close(): Promise<void>;
}

export function openUploads(options: OpenUploadsOptions): OpenUploads {
  const { open, partTtlSeconds, onError } = options;
  const places =
    open === undefined
      ? NO_PLACES
      : createOpenPlaces({ ...open, partTtlSeconds, ...(onError && { onError }) });
  const uploads = createUploads({
    ...options,
    places,
    complete: (id, tenant) => completion.settle(id, tenant, true),
    stop: (id) => options.hints.publish({ topic: 'upload', id }),
  });
  const claims = createClaims({ ...options, look: (id, tenant) => uploads.look(id, tenant) });
  const completion = createCompletion({
    ...options,
    claims,
    places,
    clear: (id, tenant) => uploads.clear(id, tenant),
  });
  return {
    uploads,
    receiver: createReceiver({ ...options, claims, completion, places }),
    concatenate: createConcatenation({
      ...options,
      completion,
      places,
      look: (id, tenant) => uploads.look(id, tenant),
      remove: (id, tenant) => uploads.remove(id, tenant),
    }),
    settle: (id, tenant) => completion.settle(id, tenant),
    async close() {
      await claims.close();
      await completion.close();
    },
  };
}
