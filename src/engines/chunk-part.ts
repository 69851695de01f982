// One chunk for another machine's encode: planned anew from the job's own outputs, encoded, checked and kept.

import { NoHelp } from '../contracts.ts';
import type { VideoEngine } from '../engine-contracts.ts';
import { framesOf } from '../operations/video/chunk-runs.ts';
import { batchOf } from '../operations/video/chunk-task.ts';
import type { Source } from '../operations/video-operation.ts';
import { Problem } from '../problems.ts';
import { chunkNames, encodeChunk, isWhole } from './chunk-encode.ts';
import { ChunkFault, CopyFault } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';

export type ChunkRequest = Parameters<VideoEngine['encodeChunk']>[0];

/** Rejects NoHelp where this machine would make other bytes, else as `VideoEngine.encodeChunk` says. */
export async function encodeChunkPart(
  { task, outputs, chunks: shelf, onProgress }: ChunkRequest,
  source: Source,
  kind: string,
  context: RunContext,
): Promise<void> {
  const batch = batchOf(task, outputs, source);
  const { index, frames, names } = task;
  const wanted = batch === null ? 0 : framesOf(index, batch.chunks.framesEach, frames);
  const run = batch === null || wanted <= 0 ? null : batch.chunkRun(index, frames);
  if (batch === null || run === null || chunkNames(run, index, kind).join() !== names.join()) {
    throw new NoHelp('the chunk would be another one here than where it is wanted');
  }
  const ours = { ...context, shelf };
  const seconds = run.expectedSeconds ?? 1;
  try {
    const whole: boolean[] = [];
    for (const name of names) whole.push(await isWhole(name, wanted, batch, ours).catch(absent));
    if (whole.every(Boolean)) return;
    await encodeChunk(run, names, whole, wanted, batch, ours, ({ outSeconds, speed }) =>
      onProgress(Math.min(1, (outSeconds ?? 0) / seconds), speed),
    );
  } catch (error) {
    if (!(error instanceof ChunkFault || error instanceof CopyFault)) throw error;
    // Whoever joins the chunks encodes in one piece then.
    throw new Problem('encode_failed', error.message, { cause: error });
  }
}

function absent(error: NodeJS.ErrnoException): false {
  if (error.code !== 'ENOENT') throw error;
  return false;
}
