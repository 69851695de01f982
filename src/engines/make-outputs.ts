// Makes the outputs of one source. What was tried in vain is tried the plain way.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProducedOutput } from '../engine-contracts.ts';
import type { Source } from '../operations/video-operation.ts';
import { Problem } from '../problems.ts';
import { ChunkFault, CopyFault } from './encode-run.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { Making } from './making.ts';
import type { MakingOptions, Produced, ProduceRequest, TakeOutput } from './making.ts';
import { withoutEmptyTracks } from './empty-tracks.ts';

export async function makeOutputs(
  request: ProduceRequest,
  source: Source,
  place: RunPlace,
  capabilities: Capabilities,
  options: MakingOptions,
): Promise<Produced> {
  let progress = 0;
  const made = new Map<string, ProducedOutput>();
  const warnings = new Set<string>();
  const take: TakeOutput = async (name, output, told) => {
    await request.onOutput?.(name, output);
    made.set(name, output);
    for (const warning of told) warnings.add(warning);
  };
  const steady: ProduceRequest = {
    ...request,
    // A second attempt begins at nothing, its watchers do not.
    onProgress(update) {
      progress = Math.max(progress, update.progress);
      request.onProgress({ ...update, progress });
    },
  };
  let tried = source;
  for (let number = 0; ; number++) {
    // A folder of its own: what an earlier try has left there must not be taken for the work of this one.
    const scratch = join(place.scratch, `try-${number}`);
    await mkdir(scratch, { recursive: true });
    // What is finished has passed its check, however the rest is to be made.
    const outputs = Object.fromEntries(Object.entries(request.outputs).filter(([name]) => !made.has(name)));
    const making = new Making(
      { ...steady, outputs },
      tried,
      { ...place, scratch },
      capabilities,
      options,
      take,
    );
    try {
      await making.run();
      const inOrder = Object.keys(request.outputs).map((name) => [name, made.get(name)] as const);
      return {
        outputs: Object.fromEntries(
          inOrder.filter((entry): entry is [string, ProducedOutput] => entry[1] !== undefined),
        ),
        warnings: [...warnings],
      };
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
  warnings: Set<string>,
  place: RunPlace,
  { signal }: ProduceRequest,
  { tools }: MakingOptions,
): Promise<Source | null> {
  if (!isBroken(error) || tried.audio === null) return null;
  const { source, empty } = await withoutEmptyTracks(tried, place, tools, signal);
  if (empty.length === 0) return null;
  warnings.add(
    `The source names sound that it does not have (track ${empty.join(', ')}), which was left out.`,
  );
  return source;
}

/** What was made is not what was asked for. */
function isBroken(error: unknown): error is Problem {
  return error instanceof Problem && error.code === 'result_broken';
}
