// One attempt at a video job: its source and assets from the store, its outputs back into it, segments while they come.

import { extname } from 'node:path';
import { Reroute } from '../contracts.ts';
import type { BlobStore, JobContext, JobResult } from '../contracts.ts';
import type { ChunkShelf, MadeFile, MediaFile, ProducedOutput, VideoEngine } from '../engine-contracts.ts';
import { videoAssetsOf } from '../operations/video.ts';
import { MASTER_FILE } from '../operations/video/hls/playlists.ts';
import type { Job, LiveOutput, OutputFile, OutputResult } from './job.ts';
import { videoOutputs } from './recipe.ts';
import { findUpload } from '../uploads/find-source.ts';
import { uploadKey } from '../uploads/uploads.ts';
import type { Uploads } from '../uploads/uploads.ts';

export interface VideoRunnerOptions {
  readonly store: BlobStore;
  readonly videos: VideoEngine;
  readonly uploads: Pick<Uploads, 'look'>;
  /** Work in seconds of 1080p30 video past which a job goes to the lane of films. */
  readonly filmSeconds: number;
}

/** Where the finished chunks of a job are kept until it has ended. */
export const chunksOf = (id: string): string => `chunks/${id}/`;

/** Makes the outputs below `prefix`. Rejects Reroute for a film in the lane of short videos. */
export async function produceVideos(
  job: Job,
  prefix: string,
  { signal, progress, share }: JobContext,
  options: VideoRunnerOptions,
): Promise<JobResult> {
  const { store, videos, filmSeconds } = options;
  const outputs = videoOutputs(job.recipe);
  await using stack = new AsyncDisposableStack();
  const source = stack.use(await store.local(job.source.key, { signal }));
  const scratch = stack.use(await store.scratch(job.id));
  const wanted = videoAssetsOf(Object.values(outputs));
  const assets = await openAssets(wanted, job.tenant, { ...options, signal }, stack);
  const shelf = new ResultShelf(store, prefix, signal);
  const results: Record<string, OutputResult> = {};
  const made = await videos.produce({
    source: { path: source.path, mediaType: known(job.source.mediaType) },
    assets,
    outputs,
    scratch: scratch.path,
    signal,
    onSource: (facts) => progress({ source: facts }),
    onWork(seconds) {
      if (job.lane === 'video' && seconds > filmSeconds) throw new Reroute('film');
    },
    onProgress: progress,
    async publish(name, file) {
      const live = await shelf.publish(name, file);
      if (live !== undefined) progress({ live: { [name]: live } });
    },
    async onOutput(name, output) {
      signal.throwIfAborted();
      const result = await shelf.keep(name, output);
      results[name] = result;
      progress({ ready: { [name]: result } });
    },
    onRestart: () => shelf.restart(),
    chunks: chunkShelf(store, job.id, signal),
    share,
  });
  return { outputs: results, warnings: made.warnings };
}

class ResultShelf {
  readonly #store: BlobStore;
  readonly #prefix: string;
  readonly #signal: AbortSignal;
  readonly #live = new Set<string>();
  #tries = 0;

  constructor(store: BlobStore, prefix: string, signal: AbortSignal) {
    this.#store = store;
    this.#prefix = prefix;
    this.#signal = signal;
  }

  /** A name has no dot, so the folders of a second try are nobody else's. */
  folderOf(name: string): string {
    return `${this.#prefix}${name}${this.#tries === 0 ? '' : `.${this.#tries}`}/`;
  }

  /** From now on into other folders: caches may hold what lies in the old ones, which go when the job has ended. */
  restart(): void {
    this.#tries++;
    this.#live.clear();
  }

  /** Keeps a file of an unfinished output. The first master playlist says that it can be watched, and where. */
  async publish(
    name: string,
    { file, path, mediaType }: MadeFile & { path: string },
  ): Promise<LiveOutput | undefined> {
    const folder = this.folderOf(name);
    await this.#adopt(`${folder}${file}`, path);
    if (file !== MASTER_FILE || this.#live.has(name)) return undefined;
    this.#live.add(name);
    return { folder, main: file, mediaType };
  }

  async keep(name: string, { files, ...output }: ProducedOutput): Promise<OutputResult> {
    const [first] = files;
    if (first === undefined) throw new Error(`the engine made no file for output ${name}`);
    if (files.length === 1 && first.path !== null) {
      const key = `${this.#prefix}${name}${extname(first.path)}`;
      await this.#adopt(key, first.path);
      return { ...output, key };
    }
    const folder = this.folderOf(name);
    const kept: OutputFile[] = [];
    for (const { path, ...file } of files) {
      const key = `${folder}${file.file}`;
      if (path !== null) await this.#adopt(key, path);
      kept.push({ ...file, key });
    }
    return { ...output, folder, main: first.file, key: `${folder}${first.file}`, files: kept };
  }

  async #adopt(key: string, path: string): Promise<void> {
    await this.#store.adopt(key, path, { signal: this.#signal });
  }
}

/** Lanes of work get a job only when its bytes have said what they are. */
export function known(mediaType: string | null): string {
  if (mediaType === null) throw new Error('a job was begun before its source was there');
  return mediaType;
}

/** The files that references name; `stack` closes them. Rejects `source_not_found`, `upload_unfinished`. */
export async function openAssets(
  references: readonly string[],
  tenant: string,
  { store, uploads, signal }: Pick<VideoRunnerOptions, 'store' | 'uploads'> & { signal?: AbortSignal },
  stack: AsyncDisposableStack,
): Promise<ReadonlyMap<string, MediaFile>> {
  const assets = new Map<string, MediaFile>();
  for (const reference of references) {
    const upload = await findUpload(reference, tenant, uploads);
    const file = stack.use(await store.local(uploadKey(upload.id), { signal }));
    assets.set(reference, { path: file.path, mediaType: upload.mediaType });
  }
  return assets;
}

/** The finished chunks of a job. What the signal ends is the reading: a chunk that is made is good for the next attempt. */
export function chunkShelf(store: BlobStore, id: string, signal: AbortSignal): ChunkShelf {
  const prefix = chunksOf(id);
  return {
    async list() {
      const names = new Set<string>();
      for await (const { key } of store.list(prefix)) names.add(key.slice(prefix.length));
      return names;
    },
    open: (name) => store.local(`${prefix}${name}`, { signal }),
    async keep(name, path) {
      await store.adopt(`${prefix}${name}`, path);
    },
  };
}
