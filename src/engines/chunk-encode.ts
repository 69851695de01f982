// One chunk, encoded and checked, and kept on the shelf under the hash of all that makes its bytes.

import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { ChunkShelf } from '../engine-contracts.ts';
import { onlyOutputs } from '../operations/video/chunk-runs.ts';
import type { Batch } from '../operations/video/chunk-runs.ts';
import type { Run } from '../operations/video/run.ts';
import { chunkFault } from './chunk-checks.ts';
import { ChunkFault, encodeRun, hidden } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';
import { damageIn } from './ffmpeg-failure.ts';
import type { FfmpegLog } from './ffmpeg-log.ts';
import type { ProgressBlock } from './ffmpeg-progress.ts';

export interface ShelfContext extends RunContext {
  readonly shelf: ChunkShelf;
}

/** Everything that its bytes follow from but the source, which is the job's. One for each output. */
export function chunkNames(run: Run, index: number, version: string): string[] {
  const { inputs, graph, outputs } = run;
  const all = JSON.stringify([version, inputs, graph, outputs.map(({ options }) => options)]);
  const mark = hash('sha256', all).slice(0, 24);
  return outputs.map((_, member) => `${mark}-${index}-${member}.mp4`);
}

/** Whether a chunk of the shelf has all its frames. Rejects with ENOENT if it is not there. */
export async function isWhole(
  name: string,
  frames: number,
  batch: Batch,
  context: ShelfContext,
): Promise<boolean> {
  await using file = await context.shelf.open(name);
  const fault = await chunkFault(file.path, frames, batch.rate, context);
  if (fault !== null) context.log?.warn({ chunk: name, fault }, 'a kept chunk is broken, encoding it again');
  return fault === null;
}

/** Encodes what is not whole of a chunk. Rejects ChunkFault, or as `encodeRun` does. */
export async function encodeChunk(
  run: Run,
  names: readonly string[],
  whole: readonly boolean[],
  frames: number,
  batch: Batch,
  context: ShelfContext,
  onProgress: (block: ProgressBlock) => void,
): Promise<void> {
  const wanted = onlyOutputs(run, (_, member) => whole[member] !== true);
  refuseDamage(wanted, await encodeRun(wanted, context, onProgress));
  for (const [member, { file }] of run.outputs.entries()) {
    if (whole[member] === true) continue;
    const path = join(context.place.scratch, file);
    const fault = await chunkFault(path, frames, batch.rate, context);
    if (fault !== null) throw new ChunkFault(`a chunk does not fit: ${fault}`);
    await context.shelf.keep(names[member] ?? '', path);
  }
}

/** Throws ChunkFault: where the source is damaged, cuts may fall anywhere; and what to say of it is known only by the whole. */
export function refuseDamage(run: Run, log: FfmpegLog | null): void {
  const damage = log === null ? null : damageIn(log, hidden(run));
  if (damage !== null) throw new ChunkFault(`FFmpeg complains of the source: ${damage}`);
}
