// Encodes a batch of outputs in parallel chunks: finished ones are kept, and joined in the end.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { framesOf } from '../operations/video/chunk-runs.ts';
import type { Batch, BatchMember } from '../operations/video/chunk-runs.ts';
import type { Run, RunOutput } from '../operations/video/run.ts';
import { Problem } from '../problems.ts';
import type { CheckedPiece } from './check-piece.ts';
import { countFrames, joinFault } from './chunk-checks.ts';
import { chunkNames, encodeChunk, isWhole, refuseDamage } from './chunk-encode.ts';
import type { ShelfContext } from './chunk-encode.ts';
import { shareChunks } from './chunk-share.ts';
import type { ChunkShare } from './chunk-share.ts';
import { concatList } from '../operations/video/concat-list.ts';
import { ChunkFault, CopyFault, encodeRun } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';
import { inParallel } from './in-parallel.ts';

export interface ChunkContext extends ShelfContext {
  /** FFmpeg's: another one would write other bytes. */
  readonly version: string;
  /** Has chunks encoded on other machines. */
  readonly share?: ChunkShare | undefined;
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
  const names = runs.map((run, index) => chunkNames(run, index, context.version));
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
  const wholeOf = async (index: number, among: ReadonlySet<string>, ours: RunContext): Promise<boolean[]> => {
    const whole: boolean[] = [];
    const wanted = framesOf(index, framesEach, frames);
    const shelved = { ...ours, shelf: context.shelf };
    for (const name of names[index] ?? [])
      whole.push(among.has(name) && (await isWhole(name, wanted, batch, shelved)));
    return whole;
  };
  const encode = async (index: number, whole: readonly boolean[], signal: AbortSignal): Promise<void> => {
    const run = runs[index] as Run;
    const seconds = run.expectedSeconds ?? 1;
    const wanted = framesOf(index, framesEach, frames);
    await encodeChunk(
      run,
      names[index] ?? [],
      whole,
      wanted,
      batch,
      { ...context, signal },
      ({ outSeconds, speed }) => tell(index, Math.min(1, (outSeconds ?? 0) / seconds), speed ?? 0),
    );
  };
  const sounds = batch.members.flatMap((member) => batch.soundRun(member) ?? []);
  const encodeSound = async (run: Run, signal: AbortSignal): Promise<void> =>
    refuseDamage(run, await encodeRun(run, { ...context, signal }, () => undefined));

  let left = Array.from({ length: count }, (_, index) => index);
  const { share } = context;
  if (share !== undefined) {
    left = await shareChunks(names, { ...context, share, frames, batch, kept, tell, wholeOf }, (signal) =>
      inParallel(sounds.length, 1, signal, (task, stop) => encodeSound(sounds[task] as Run, stop)),
    );
    sounds.length = 0;
  }
  await inParallel(sounds.length + left.length, parallel, context.signal, async (task, signal) => {
    const sound = sounds[task];
    if (sound !== undefined) return encodeSound(sound, signal);
    const index = left[task - sounds.length] ?? 0;
    const whole = await wholeOf(index, kept, { ...context, signal });
    if (!whole.every(Boolean)) await encode(index, whole, signal);
    tell(index, 1, 0, whole.every(Boolean));
  });
  return names;
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
