// One planned FFmpeg run, from its arguments to what its end means.

import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '../logger.ts';
import type { Run } from '../operations/video/run.ts';
import { ffmpegArguments } from './ffmpeg-command.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { failureOf } from './ffmpeg-failure.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import { ProgressReader } from './ffmpeg-progress.ts';
import type { ProgressBlock } from './ffmpeg-progress.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';

export interface RunContext {
  readonly tools: FfmpegTools;
  readonly place: RunPlace;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  readonly log?: Pick<Logger, 'debug' | 'warn'>;
}

/** A copy came out broken, or its source is damaged: nothing is wrong that encoding could not mend. */
export class CopyFault extends Error {
  override readonly name = 'CopyFault';
}

/** Chunks do not fit together: nothing is wrong that encoding in one piece could not mend. */
export class ChunkFault extends Error {
  override readonly name = 'ChunkFault';
}

/**
 * Runs it. Resolves with what FFmpeg said; null if it failed and the run has a fallback. Rejects CopyFault, the
 * Problem that `failureOf` makes of its end, or the signal's reason.
 */
export async function encodeRun(
  run: Run,
  { tools, place, timeoutSeconds, signal, log: logger }: RunContext,
  onProgress: (block: ProgressBlock) => void,
): Promise<FfmpegLog | null> {
  const { scratch } = place;
  const log = new FfmpegLog();
  let written = 0;
  const reader = new ProgressReader((block) => {
    written = Math.max(written, block.outSeconds ?? 0);
    if (!block.isLast) onProgress(block);
  });
  for (const { file } of run.outputs) {
    await mkdir(dirname(join(scratch, file)), { recursive: true });
    // What an earlier try left must not be taken for the result of this one.
    await rm(join(scratch, file), { force: true });
  }
  const end = await tools.ffmpeg({
    args: ffmpegArguments(run, place),
    scratch,
    fileBytes: Math.max(...run.outputs.map(({ piece }) => 2 * piece.maxBytes)),
    signal,
    log,
    onProgress: (text) => reader.feed(text),
  });
  const problem = failureOf(end, log, { timeoutSeconds, hide: hidden(run) });
  if (problem === null) {
    tools.made(written);
    return log;
  }
  logger?.debug({ code: end.code, signal: end.signal, reason: log.reason(hidden(run)) }, 'ffmpeg failed');
  const isFinal = problem.code !== 'encode_failed' && problem.code !== 'video_unreadable';
  if (run.fallback !== null && !isFinal) return null;
  if (copies(run) && !isFinal) throw new CopyFault(problem.message);
  throw problem;
}

export function copies({ outputs }: Run): boolean {
  return outputs.some(({ piece }) => piece.streams.some((stream) => stream.options['c'] === 'copy'));
}

/** Our names of files, which mean nothing to anybody else. */
export function hidden({ outputs }: Run): string[] {
  return outputs.map(({ file }) => file);
}
