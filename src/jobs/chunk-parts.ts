// Parts of films that other machines share: a chunk made from the job's own source, recipe and assets, and put on its shelf.

import type { BlobStore, PartHandler } from '../contracts.ts';
import type { VideoEngine } from '../engine-contracts.ts';
import { videoAssetsOf } from '../operations/video.ts';
import { chunkTaskSchema } from '../operations/video/chunk-task.ts';
import { Problem } from '../problems.ts';
import type { Uploads } from '../uploads/uploads.ts';
import { videoOutputs } from './recipe.ts';
import { chunkShelf, chunksOf, known, openAssets } from './video-results.ts';

export interface PartHandlerOptions {
  readonly store: BlobStore;
  readonly videos: Pick<VideoEngine, 'encodeChunk' | 'chunkKind'>;
  readonly uploads: Pick<Uploads, 'look'>;
}

export function partHandler(options: PartHandlerOptions): PartHandler {
  const { store, videos } = options;
  return {
    kind: () => videos.chunkKind(),
    async run({ job, task: told }, { signal, progress }) {
      const { data: task, error } = chunkTaskSchema.safeParse(told);
      if (task === undefined) {
        throw new Problem('internal_error', 'A part of this job could not be understood.', { cause: error });
      }
      const outputs = videoOutputs(job.recipe);
      const named = Object.entries(outputs).flatMap(([name, output]) =>
        task.outputs.includes(name) ? [output] : [],
      );
      await using stack = new AsyncDisposableStack();
      const source = stack.use(await store.local(job.source.key, { signal }));
      const scratch = stack.use(await store.scratch(job.id));
      const wanted = videoAssetsOf(named);
      const assets = await openAssets(wanted, job.tenant, { ...options, signal }, stack);
      await videos.encodeChunk({
        source: { path: source.path, mediaType: known(job.source.mediaType) },
        outputs,
        assets,
        scratch: scratch.path,
        task,
        chunks: chunkShelf(store, job.id, signal),
        signal,
        onProgress: progress,
      });
    },
    discard: (jobId) => store.delete(chunksOf(jobId)),
  };
}
