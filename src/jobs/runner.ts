// Runs jobs: takes a source from the store, has an engine make its outputs, puts them back into the store.

import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import type {
  BlobStore,
  ImageEngine,
  JobContext,
  JobHandler,
  JobQueue,
  JobResult,
  VideoEngine,
} from '../contracts.ts';
import { Problem } from '../problems.ts';
import { keepImages, sizeOf, wantedImages } from './image-results.ts';
import type { Job, Lane, OutputResult } from './job.ts';
import { videoOutputs } from './recipe.ts';

export interface RunnerOptions {
  readonly store: BlobStore;
  readonly images: ImageEngine;
  readonly videos: VideoEngine;
}

/** One attempt: makes the outputs below `results/{job}/{run}/`. */
type Attempt = (job: Job, prefix: string, context: JobContext) => Promise<JobResult>;

/** The handlers of all lanes. */
export function jobHandlers({ store, images, videos }: RunnerOptions): Record<Lane, JobHandler> {
  return {
    image: handler(store, (job, prefix, context) => renderImages(job, prefix, context, store, images)),
    video: handler(store, (job, prefix, context) => produceVideos(job, prefix, context, store, videos)),
  };
}

function handler(store: BlobStore, attempt: Attempt): JobHandler {
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
        await store.delete(prefix);
        throw error;
      }
    },
    async discard(job) {
      const prefix = prefixes.get(job);
      if (prefix !== undefined) await store.delete(prefix);
    },
    async settled(job) {
      await settle(store, job);
    },
  };
}

/** Removes everything of a finished job but its published results: the source, and what interrupted attempts left. */
export async function settle(store: BlobStore, job: Job): Promise<void> {
  await store.delete(job.source.key);
  const published = new Set(
    Object.values(job.results).flatMap(({ key, files = [] }) => [key, ...files.map((file) => file.key)]),
  );
  for await (const { key } of store.list(resultsOf(job.id))) {
    if (!published.has(key)) await store.delete(key);
  }
}

/** Forgets a job and everything of it. A running one is stopped. */
export async function removeJob(queue: JobQueue, store: BlobStore, id: string): Promise<Job | undefined> {
  const job = await queue.remove(id);
  if (job === undefined) return undefined;
  await store.delete(job.source.key);
  await store.delete(resultsOf(id));
  return job;
}

const resultsOf = (id: string): string => `results/${id}/`;

async function renderImages(
  job: Job,
  prefix: string,
  { signal, progress }: JobContext,
  store: BlobStore,
  images: ImageEngine,
): Promise<JobResult> {
  await using file = await store.local(job.source.key);
  const source = await readOwn(file.path);
  const wanted = await wantedImages(job.recipe, () => sizeOf(images, source));
  const outputs = wanted.flatMap(({ renditions }) => renditions.map(({ output }) => output));
  const rendering = await images.render(source, outputs, { signal, patient: true });
  progress({
    progress: 0.9,
    source: {
      mediaType: rendering.source.mediaType,
      width: rendering.source.width,
      height: rendering.source.height,
    },
  });
  const shelf = { store, prefix, jobId: job.id, signal };
  return { outputs: await keepImages(wanted, rendering.images, shelf), warnings: [] };
}

async function produceVideos(
  job: Job,
  prefix: string,
  { signal, progress }: JobContext,
  store: BlobStore,
  videos: VideoEngine,
): Promise<JobResult> {
  await using source = await store.local(job.source.key);
  await using scratch = await store.scratch(job.id);
  const { files, warnings } = await videos.produce({
    path: source.path,
    mediaType: job.source.mediaType,
    outputs: videoOutputs(job.recipe),
    scratch: scratch.path,
    signal,
    onSource: (facts) => progress({ source: facts }),
    onProgress: progress,
  });
  const results: Record<string, OutputResult> = {};
  for (const [name, { path, ...result }] of Object.entries(files)) {
    signal.throwIfAborted();
    const key = `${prefix}${name}${extname(path)}`;
    await store.adopt(key, path);
    results[name] = { ...result, key };
  }
  return { outputs: results, warnings };
}

/** A whole file in an ArrayBuffer of its own, so that it can be moved to a thread. */
async function readOwn(path: string): Promise<Uint8Array<ArrayBuffer>> {
  await using file = await open(path);
  const { size } = await file.stat();
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(bytes, at, size - at, at);
    if (bytesRead === 0) throw new Problem('internal_error', 'The stored source is shorter than it was.');
    at += bytesRead;
  }
  return bytes;
}
