// A planned run as an argument list. Built by fluent-ffmpeg, which this file alone knows; never started by it.

import ffmpeg from 'fluent-ffmpeg';
import { join } from 'node:path';
import type { Run } from '../operations/video/plan.ts';
import { fileUrl, inputOptions } from './ffmpeg-input.ts';

export interface RunPlace {
  /** Absolute path of the source. */
  readonly path: string;
  readonly mediaType: string;
  /** Absolute path of the folder for the files. */
  readonly scratch: string;
  readonly maxPixels: number;
  /** Seconds of the source that are read at most. */
  readonly maxSeconds: number;
}

/** For every run, before the input: silent but for warnings, progress on file descriptor 3 twice a second. */
const GLOBAL =
  '-nostdin -hide_banner -y -nostats -loglevel level+warning -progress pipe:3 -stats_period 0.5'.split(' ');

/** The arguments of an FFmpeg run. The library's own start, kill, progress and errors have holes and stay unused. */
export function ffmpegArguments(run: Run, place: RunPlace): string[] {
  const seconds = Math.min(run.seconds ?? Infinity, place.maxSeconds);
  const command = ffmpeg().input(fileUrl(place.path));
  command.inputOptions(
    ...inputOptions(place.mediaType, place.maxPixels),
    ...(run.seek > 0 ? ['-ss', run.seek.toFixed(3)] : []),
    '-t',
    seconds.toFixed(3),
  );
  if (run.graph !== null) command.complexFilter(run.graph);
  for (const { file, options } of run.outputs) {
    command.output(fileUrl(join(place.scratch, file))).outputOptions(...options);
  }
  // Not public, but typed, and the only way to the arguments that starts nothing. The version is pinned.
  // oxlint-disable-next-line no-underscore-dangle
  return [...GLOBAL, ...command._getArguments()];
}
