// Encodes a batch of outputs in parallel chunks: finished ones are kept, and joined in the end.

import { hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ChunkShelf } from '../engine-contracts.ts';
import { framesOf, onlyOutputs } from '../operations/video/chunk-runs.ts';
import type { Batch, BatchMember } from '../operations/video/chunk-runs.ts';
import type { Run, RunOutput } from '../operations/video/run.ts';
import { Problem } from '../problems.ts';
import type { CheckedPiece } from './check-piece.ts';
import { chunkFault, countFrames, joinFault } from './chunk-checks.ts';
import { concatList } from '../operations/video/concat-list.ts';
import { ChunkFault, CopyFault, encodeRun, hidden } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';
import type { FfmpegLog } from './ffmpeg-log.ts';
import { damageIn } from './ffmpeg-failure.ts';
import type { ProgressBlock } from './ffmpeg-progress.ts';

export interface ChunkContext extends RunContext {
  readonly shelf: ChunkShelf;
  /** FFmpeg's: another one would write other bytes. */
  readonly version: string;
  /** Number of the source's video stream. */
  readonly video: number;
  readonly check: (output: RunOutput, damage: string | null) => Promise<CheckedPiece>;
  /** Told what part of the frames is encoded, and at what speed. `isFound`: it was there before. */
  readonly onProgress: (done: number, speed: number | null, isFound: boolean) => void;
}

export interface JoinedPiece {
  readonly output: RunOutput;
  readonly checked: CheckedPiece;
}

/**
 * Makes all pieces of the batch. Rejects ChunkFault where anything does not fit together, else as `encodeRun` does,
 * after all its processes are gone.
 */
export async function encodeInChunks(batch: Batch, context: ChunkContext): Promise<readonly JoinedPiece[]> {
  try {
    const frames = await countFrames(context.video, batch.rate, context);
    const names = await encodeAll(batch, frames, context);
    const joined: JoinedPiece[] = [];
    for (const [index, member] of batch.members.entries()) {
      joined.push(
        ...(await joinOne(
          batch,
          member,
          names.map((row) => row[index] ?? ''),
          frames,
          context,
        )),
      );
    }
    return joined;
  } catch (error) {
    if (isAboutMedia(error)) throw new ChunkFault(error.message);
    throw error;
  }
}

/** What another try in one piece may mend, or explain better. */
function isAboutMedia(error: unknown): error is Error {
  if (error instanceof CopyFault) return true;
  return error instanceof Problem && (error.code === 'encode_failed' || error.code === 'video_unreadable');
}

/** Encodes what is not on the shelf. Resolves with the names there: for each chunk, one for each member. */
async function encodeAll(batch: Batch, frames: number, context: ChunkContext): Promise<readonly string[][]> {
  const { framesEach, parallel } = batch.chunks;
  const count = Math.ceil(frames / framesEach);
  const runs = Array.from({ length: count }, (_, index) => batch.chunkRun(index, frames));
  const names = runs.map((run, index) => namesOf(run, index, context.version));
  const kept = await context.shelf.list();
  const done = new Float64Array(count);
  const speeds = new Float64Array(count);
  const tell = (index: number, part: number, speed: number, isFound = false): void => {
    done[index] = part;
    speeds[index] = speed;
    const encoded = done.reduce((sum, each, at) => sum + each * framesOf(at, framesEach, frames), 0);
    const together = speeds.reduce((sum, each) => sum + each, 0);
    context.onProgress(encoded / frames, together > 0 ? together : null, isFound);
  };
  const sounds = batch.members.flatMap((member) => batch.soundRun(member) ?? []);
  await inParallel(sounds.length + count, parallel, context.signal, async (task, signal) => {
    const ours = { ...context, signal };
    const sound = sounds[task];
    if (sound !== undefined) {
      refuseDamage(sound, await encodeRun(sound, ours, () => undefined));
      return;
    }
    const index = task - sounds.length;
    const run = runs[index] as Run;
    const its = names[index] ?? [];
    const wanted = framesOf(index, framesEach, frames);
    const whole: boolean[] = [];
    for (const name of its) whole.push(kept.has(name) && (await isWhole(name, wanted, batch, ours)));
    if (!whole.every(Boolean)) {
      const seconds = run.expectedSeconds ?? 1;
      await encodeChunk(run, its, whole, wanted, batch, ours, ({ outSeconds, speed }) =>
        tell(index, Math.min(1, (outSeconds ?? 0) / seconds), speed ?? 0),
      );
    }
    tell(index, 1, 0, whole.every(Boolean));
  });
  return names;
}

/** Everything that its bytes follow from but the source, which is the job's. */
function namesOf(run: Run, index: number, version: string): string[] {
  const { inputs, graph, outputs } = run;
  const all = JSON.stringify([version, inputs, graph, outputs.map(({ options }) => options)]);
  const mark = hash('sha256', all).slice(0, 24);
  return outputs.map((_, member) => `${mark}-${index}-${member}.mp4`);
}

async function isWhole(name: string, frames: number, batch: Batch, context: ChunkContext): Promise<boolean> {
  await using file = await context.shelf.open(name);
  const fault = await chunkFault(file.path, frames, batch.rate, context);
  if (fault !== null) context.log?.warn({ chunk: name, fault }, 'a kept chunk is broken, encoding it again');
  return fault === null;
}

async function encodeChunk(
  run: Run,
  names: readonly string[],
  whole: readonly boolean[],
  frames: number,
  batch: Batch,
  context: ChunkContext,
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

/** Where the source is damaged, cuts may fall anywhere; and what to say of it is known only by the whole. */
function refuseDamage(run: Run, log: FfmpegLog | null): void {
  const damage = log === null ? null : damageIn(log, hidden(run));
  if (damage !== null) throw new ChunkFault(`FFmpeg complains of the source: ${damage}`);
}

async function joinOne(
  batch: Batch,
  member: BatchMember,
  names: readonly string[],
  frames: number,
  context: ChunkContext,
): Promise<JoinedPiece[]> {
  await using open = new AsyncDisposableStack();
  const paths: string[] = [];
  for (const name of names) paths.push(open.use(await context.shelf.open(name)).path);
  const list = `chunks-${member.folder}/list.txt`;
  const path = join(context.place.scratch, list);
  await mkdir(dirname(path), { recursive: true });
  const { rate, chunks } = batch;
  const starts = names.map((_, index) => (index * chunks.framesEach) / rate.value);
  await writeFile(path, concatList(paths, [...starts, frames / rate.value]));
  const sound = batch.soundRun(member)?.outputs[0]?.file ?? null;
  const run = batch.joinRun(member, { list, sound });
  refuseDamage(run, await encodeRun(run, context, () => undefined));
  const joined: JoinedPiece[] = [];
  for (const [index, output] of run.outputs.entries()) {
    const checked = await context.check(output, null);
    const fault =
      checked.fault ??
      (index === 0 ? await joinFault(join(context.place.scratch, output.file), frames, context) : null);
    if (fault !== null) throw new ChunkFault(`the joined chunks do not fit: ${fault}`);
    joined.push({ output, checked });
  }
  return joined;
}

/** Some at a time. When one fails the others are stopped; rejects when all are gone. */
async function inParallel(
  count: number,
  parallel: number,
  signal: AbortSignal,
  work: (index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      either.throwIfAborted();
      await work(next++, either);
    }
  };
  const lanes = Array.from({ length: parallel }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(lanes);
    throw error;
  }
}
