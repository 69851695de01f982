// Runs jobs: takes a source from the store, has an engine make its outputs, puts them back into the store.

import { randomUUID } from 'node:crypto';
import type { BlobStore, JobContext, JobHandler, JobQueue, JobResult } from '../contracts.ts';
import type { ImageEngine } from '../engine-contracts.ts';
import { readOwnStream } from '../lib/own-bytes.ts';
import { fetchHandler } from './fetch-source.ts';
import type { FetchOptions } from './fetch-source.ts';
import { keepImages, sizeOf, wantedImages } from './image-results.ts';
import type { ImageShelf } from './image-results.ts';
import type { Aftermath } from './aftermath.ts';
import { isFinished } from './job.ts';
import type { Job, Lane } from './job.ts';
import { videoOutputs } from './recipe.ts';
import { chunksOf, produceVideos } from './video-results.ts';
import type { VideoRunnerOptions } from './video-results.ts';

export interface RunnerOptions extends VideoRunnerOptions, FetchOptions {
  readonly images: ImageEngine;
  /**
   * Asked before a job that has ended is cleared away: resolves when its end is kept for good, with false where it was
   * forgotten. Without it every end is.
   */
  readonly lasts?: (job: Job) => Promise<boolean>;
}

/** One attempt: makes the outputs below `results/{job}/{run}/`. */
type Attempt = (job: Job, prefix: string, context: JobContext) => Promise<JobResult>;

/** The handlers of all lanes. */
export function jobHandlers(options: RunnerOptions): Record<Lane, JobHandler> {
  const { store, images, lasts } = options;
  const settled = async (job: Job): Promise<void> => {
    if ((await lasts?.(job)) !== false) await settle(store, job);
  };
  const handler = (attempt: Attempt): JobHandler => handlerOf(store, attempt, settled);
  const ofVideos = handler((job, prefix, context) => produceVideos(job, prefix, context, options));
  return {
    image: handler((job, prefix, context) => renderImages(job, prefix, context, store, images)),
    video: ofVideos,
    film: ofVideos,
    fetch: fetchHandler(options, settled),
  };
}

function handlerOf(store: BlobStore, attempt: Attempt, settled: JobHandler['settled']): JobHandler {
  // By the attempt's own object: a process that lost a lease may hold a newer one of the same job.
  const prefixes = new WeakMap<Job, string>();
  return {
    async run(job, context) {
      // A run has its own folder, whatever its attempt's number: a fenced late finisher can only remove its own.
      const prefix = `${resultsOf(job.id)}${randomUUID()}/`;
      prefixes.set(job, prefix);
      try {
        return await attempt(job, prefix, context);
      } catch (error) {
        // What is left is cleared away when the job has ended.
        await store.delete(prefix).catch(() => undefined);
        throw error;
      }
    },
    async discard(job) {
      const prefix = prefixes.get(job);
      if (prefix !== undefined) await store.delete(prefix);
    },
    settled,
  };
}

/** Removes everything of a finished job but its published results: the source, and what interrupted attempts left. */
export async function settle(store: BlobStore, job: Job): Promise<void> {
  await Promise.all([deleteSource(store, job), deleteChunks(store, job)]);
  const results = Object.values(job.results);
  const published = new Set(
    results.flatMap(({ key, files = [] }) => [key, ...files.map((file) => file.key)]),
  );
  const folders = results.flatMap(({ folder }) => folder ?? []);
  for await (const { key } of store.list(resultsOf(job.id))) {
    if (!published.has(key) && !folders.some((folder) => key.startsWith(folder))) await store.delete(key);
  }
}

export interface RemoveOptions {
  readonly queue: JobQueue;
  readonly store: BlobStore;
  /** Without it nothing is owed for any end. */
  readonly aftermath?: Pick<Aftermath, 'workOff' | 'settleUp'> | undefined;
}

/**
 * Forgets a job and everything of it, once what is owed for its end is done or written down; rejects, and removes
 * nothing, where that cannot be. A running one is stopped, and of its end nobody is told.
 */
export async function removeJob(
  { queue, store, aftermath }: RemoveOptions,
  id: string,
): Promise<Job | undefined> {
  const known = await queue.get(id);
  if (known === undefined) return undefined;
  await aftermath?.workOff([known]);
  const job = await queue.remove(id);
  if (job === undefined) return undefined;
  // It ended between the two.
  if (isFinished(job) && !isFinished(known)) await aftermath?.settleUp(job);
  await Promise.all([deleteSource(store, job), deleteChunks(store, job), store.delete(resultsOf(id))]);
  return job;
}

/** Its own, and what attempts at fetching it have left. */
async function deleteSource(store: BlobStore, { id, source }: Job): Promise<void> {
  await store.delete(source.key);
  if (source.url !== undefined) await store.delete(`sources/${id}/`);
}

/** Of pictures there are none: a store over the network is not asked for them. */
async function deleteChunks(store: BlobStore, { id, recipe }: Job): Promise<void> {
  if (Object.values(videoOutputs(recipe)).length > 0) await store.delete(chunksOf(id));
}

const resultsOf = (id: string): string => `results/${id}/`;

async function renderImages(
  job: Job,
  prefix: string,
  { signal, progress }: JobContext,
  store: BlobStore,
  images: ImageEngine,
): Promise<JobResult> {
  // Read once, so no copy of it on this machine's disk is needed.
  const source = await readOwnStream(await store.read(job.source.key), job.source.bytes, signal);
  const wanted = await wantedImages(job.recipe, () => sizeOf(images, source));
  const outputs = wanted.flatMap(({ renditions }) => renditions.map(({ output }) => output));
  const rendering = await images.render(source, outputs, {
    tenant: job.tenant,
    signal,
    patient: true,
  });
  progress({
    progress: 0.9,
    source: {
      mediaType: rendering.source.mediaType,
      width: rendering.source.width,
      height: rendering.source.height,
    },
  });
  const shelf: ImageShelf = {
    store,
    prefix,
    jobId: job.id,
    signal,
    onOutput: (name, result) => progress({ ready: { [name]: result } }),
  };
  return { outputs: await keepImages(wanted, rendering.images, shelf), warnings: [] };
}
