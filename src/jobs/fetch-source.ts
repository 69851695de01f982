// The first leg of a job whose source is a URL: its bytes are fetched into the store, then it waits where it belongs.

import { randomUUID } from 'node:crypto';
import { pipeline } from 'node:stream';
import type { MeterFetched } from '../access/fetched-bytes.ts';
import { Reroute } from '../contracts.ts';
import type { BlobStore, JobContext, JobHandler, JobResult } from '../contracts.ts';
import type { SafeDownload } from '../lib/safe-download.ts';
import { sniffing } from '../lib/sniffing.ts';
import { Problem } from '../problems.ts';
import type { Job } from './job.ts';
import { isOfImage, laneFor } from './recipe.ts';

export interface FetchOptions {
  readonly store: BlobStore;
  readonly download: SafeDownload;
  readonly meterFetched: MeterFetched;
  readonly limits: { readonly imageMaxBytes: number; readonly videoMaxBytes: number };
}

/** `settled`: clears up after a job that ended while it was fetched, as after any other. */
export function fetchHandler(options: FetchOptions, settled: JobHandler['settled']): JobHandler {
  return {
    run: (job, context) => fetchSource(job, context, options),
    // `settled` removes what any attempt has fetched.
    discard: async () => undefined,
    settled,
  };
}

/**
 * Never resolves: rejects Reroute once the bytes are in the store and the source says what they are. Otherwise with
 * what the download rejects with, `quota_exceeded`, `media_type_unsupported`, `payload_too_large` or `storage_full`.
 */
async function fetchSource(
  job: Job,
  { signal, progress }: JobContext,
  { store, download, meterFetched, limits }: FetchOptions,
): Promise<JobResult> {
  const { url } = job.source;
  if (url === undefined) throw new Error('a job without a URL is in the lane of fetching');
  const ofImages = Object.values(job.recipe.outputs).every(isOfImage);
  const maxBytes = ofImages ? limits.imageMaxBytes : limits.videoMaxBytes;
  // Asked before: once the body comes, somebody must listen to it at every moment.
  const free = await store.free();
  const begun = performance.now();
  const { body, name, announced } = await download(url, {
    maxBytes,
    signal,
    onBytes(seen, whole) {
      if (whole === undefined) return;
      const share = seen / whole;
      const left = ((performance.now() - begun) / 1000) * (1 / share - 1);
      progress({ progress: share, etaSeconds: Math.round(left * 10) / 10 });
    },
  });
  // The job will come again and again: gigabytes for nothing each time would cost the host too.
  if (free !== undefined && announced !== undefined && free <= announced) {
    body.destroy();
    throw new Problem(
      'storage_full',
      'The server has no room for this source. Nothing was kept; it is fetched again later.',
    );
  }
  if (name !== null) progress({ source: { name } });
  const sniffer = sniffing((mediaType) => void laneFor(job.recipe, mediaType));
  // Whatever ends one ends the others; `put` hears of it by the sniffer.
  pipeline(body, meterFetched(job.tenant), sniffer, () => undefined);
  // Of its own for each attempt: one that was taken over and comes late must not change the bytes under the next.
  const key = `sources/${job.id}/${randomUUID()}`;
  const { bytes } = await store.put(key, sniffer, { maxBytes, signal });
  const mediaType = sniffer.mediaType();
  // Told before the job moves: the handler of its next lane reads it there.
  progress({ source: { key, mediaType, bytes } });
  throw new Reroute(laneFor(job.recipe, mediaType));
}
