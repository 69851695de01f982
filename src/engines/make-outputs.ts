// Makes the outputs of one source. What was tried in vain is tried the plain way.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Source } from '../operations/video-operation.ts';
import { Problem } from '../problems.ts';
import { ChunkFault, CopyFault } from './encode-run.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { Making } from './making.ts';
import type { MakingOptions, Produced, ProduceRequest } from './making.ts';
import { withoutEmptyTracks } from './empty-tracks.ts';

export async function makeOutputs(
  request: ProduceRequest,
  source: Source,
  place: RunPlace,
  capabilities: Capabilities,
  options: MakingOptions,
): Promise<Produced> {
  let progress = 0;
  const steady: ProduceRequest = {
    ...request,
    // A second attempt begins at nothing, its watchers do not.
    onProgress(update) {
      progress = Math.max(progress, update.progress);
      request.onProgress({ ...update, progress });
    },
  };
  const warnings: string[] = [];
  let tried = source;
  for (let number = 0; ; number++) {
    // A folder of its own: what an earlier try has left there must not be taken for the work of this one.
    const scratch = join(place.scratch, `try-${number}`);
    await mkdir(scratch, { recursive: true });
    const making = new Making(steady, tried, { ...place, scratch }, capabilities, options);
    try {
      const made = await making.run();
      return { ...made, warnings: [...warnings, ...made.warnings] };
    } catch (error) {
      const next =
        plainer(error, tried, making) ?? (await sounder(error, tried, warnings, place, request, options));
      if (next === null) throw error;
      options.log?.warn(
        { reason: (error as Error).message },
        'what was tried did not work out, trying the plain way',
      );
      tried = next;
      request.onRestart?.();
    }
  }
}

/** The source without the shortcut that failed, or null if it was none. */
function plainer(error: unknown, tried: Source, making: Making): Source | null {
  if (tried.mayCopy && (error instanceof CopyFault || (making.copies && isBroken(error)))) {
    return { ...tried, mayCopy: false };
  }
  return error instanceof ChunkFault && tried.mayChunk ? { ...tried, mayChunk: false } : null;
}

/** The source without tracks of sound that hold nothing, as cut-off recordings have them; null if all hold something. */
async function sounder(
  error: unknown,
  tried: Source,
  warnings: string[],
  place: RunPlace,
  { signal }: ProduceRequest,
  { tools }: MakingOptions,
): Promise<Source | null> {
  if (!isBroken(error) || tried.audio === null) return null;
  const { source, empty } = await withoutEmptyTracks(tried, place, tools, signal);
  if (empty.length === 0) return null;
  warnings.push(
    `The source names sound that it does not have (track ${empty.join(', ')}), which was left out.`,
  );
  return source;
}

/** What was made is not what was asked for. */
function isBroken(error: unknown): error is Problem {
  return error instanceof Problem && error.code === 'result_broken';
}
