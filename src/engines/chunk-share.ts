// Chunks of an encode that any machine of a fleet may make: who asks for them waits, and joins what is on the shelf.

import { NoHelp } from '../contracts.ts';
import type { JobContext } from '../contracts.ts';
import { findingsFor } from '../operations/video/chunk-task.ts';
import type { ChunkTask } from '../operations/video/chunk-task.ts';
import type { Batch } from '../operations/video/chunk-runs.ts';
import type { Findings } from '../operations/video/analysis.ts';
import type { ShelfContext } from './chunk-encode.ts';
import type { RunContext } from './encode-run.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import { inParallel } from './in-parallel.ts';

export interface ChunkShare {
  readonly ask: NonNullable<JobContext['share']>;
  /** Builds of FFmpeg that make the same bytes. */
  readonly kind: string;
  readonly findings: Findings;
  readonly mayCopy: boolean;
}

interface Sharing extends ShelfContext {
  readonly share: ChunkShare;
  readonly batch: Batch;
  readonly frames: number;
  /** On the shelf when the attempt began. */
  readonly kept: ReadonlySet<string>;
  readonly tell: (index: number, part: number, speed: number, isFound?: boolean) => void;
  readonly wholeOf: (index: number, among: ReadonlySet<string>, context: RunContext) => Promise<boolean[]>;
}

/**
 * What of machines makes the same bytes of the same task: the builds of FFmpeg and ffprobe, as they tell them. They do
 * not tell the versions of the encoders in them: machines of a fleet run the same image. Null without FFmpeg.
 */
export function chunkKind({ build }: Pick<Capabilities, 'build'>): string | null {
  return build;
}

/** A part whose machine said that it is done, and whose chunk is not there, is asked for again: so often. */
const ROUNDS = 3;
/** Looks at kept chunks at once. */
const LOOKS = 2;

/**
 * Has all chunks made that are not whole on the shelf, and does `beside` meanwhile. Resolves with the numbers of those
 * that are left to this machine: all that lack where nobody helps. Rejects as `beside` and `share.ask` do.
 */
export async function shareChunks(
  names: readonly (readonly string[])[],
  context: Sharing,
  beside: (signal: AbortSignal) => Promise<void>,
): Promise<number[]> {
  let left: number[] = [];
  await inParallel(2, 2, context.signal, async (task, signal) => {
    if (task === 1) return beside(signal);
    left = await askForAll(names, context, signal);
  });
  return left;
}

async function askForAll(
  names: readonly (readonly string[])[],
  context: Sharing,
  signal: AbortSignal,
): Promise<number[]> {
  const { share, kept, tell, wholeOf, shelf, log } = context;
  const found = new Set<number>();
  await inParallel(names.length, LOOKS, signal, async (index, stop) => {
    const whole = await wholeOf(index, kept, { ...context, signal: stop });
    if (!whole.every(Boolean)) return;
    found.add(index);
    tell(index, 1, 0, true);
  });
  let left = names.flatMap((_, index) => (found.has(index) ? [] : [index]));
  // An earlier attempt may have shared parts, and not have come to an end of it.
  if (left.length === 0) await share.ask([], { kind: share.kind, signal, told: () => undefined });
  for (let round = 0; round < ROUNDS && left.length > 0; round++) {
    const parts = new Map(left.map((index) => [partName(names[index]), index]));
    try {
      await share.ask(
        left.map((index) => ({
          name: partName(names[index]),
          task: taskOf(index, names[index] ?? [], context),
        })),
        {
          kind: share.kind,
          signal,
          told(name, progress, speed) {
            const index = parts.get(name);
            if (index !== undefined) tell(index, Math.min(1, progress), progress < 1 ? (speed ?? 0) : 0);
          },
        },
      );
    } catch (error) {
      if (!(error instanceof NoHelp)) throw error;
      log?.warn({ reason: error.message }, 'chunks are encoded on this machine alone');
      round = ROUNDS;
    }
    signal.throwIfAborted();
    const there = await shelf.list();
    left = left.filter((index) => !(names[index] ?? []).every((name) => there.has(name)));
  }
  return left;
}

function taskOf(index: number, names: readonly string[], { share, batch, frames }: Sharing): ChunkTask {
  return {
    outputs: batch.members.map(({ name }) => name),
    mayCopy: share.mayCopy,
    frames,
    index,
    names: [...names],
    findings: findingsFor(share.findings),
  };
}

/** The hash and the number of the chunk, which all its files begin with. */
function partName([first = '']: readonly string[] = []): string {
  return first.replace(/-\d+\.mp4$/, '');
}
