// A planned run as an argument list. Built by fluent-ffmpeg, which this file alone knows; never started by it.

import ffmpeg from 'fluent-ffmpeg';
import { join } from 'node:path';
import type { MediaFile } from '../engine-contracts.ts';
import type { Run, RunInput } from '../operations/video/run.ts';
import { fileUrl, inputOptions } from './ffmpeg-input.ts';

export interface RunPlace {
  readonly source: MediaFile;
  /** By reference. */
  readonly assets: ReadonlyMap<string, MediaFile>;
  /** Absolute path of the folder for the files. */
  readonly scratch: string;
  readonly maxPixels: number;
  /** Seconds of a source that are read at most. */
  readonly maxSeconds: number;
}

/** For every run, before the input: silent but for warnings, progress on file descriptor 3 twice a second. */
export const GLOBAL =
  '-nostdin -hide_banner -y -nostats -loglevel level+warning -progress pipe:3 -stats_period 0.5'.split(' ');

/** Of an input that is a file of our own, below the scratch folder. */
export const OWN_FILE = 'file:';

/** As the file of an output: it goes to standard output, with a muxer that needs not go back. */
export const STDOUT = 'pipe:1';

/** The arguments of an FFmpeg run. The library's own start, kill, progress and errors have holes and stay unused. */
export function ffmpegArguments(run: Run, place: RunPlace): string[] {
  const command = ffmpeg();
  for (const input of run.inputs) {
    command.input(pathOf(input, place)).inputOptions(...optionsOf(input, place));
  }
  if (run.graph !== null) command.complexFilter(run.graph);
  for (const { file, options } of run.outputs) {
    command.output(file === STDOUT ? STDOUT : fileUrl(join(place.scratch, file))).outputOptions(...options);
  }
  // Not public, but typed, and the only way to the arguments that starts nothing. The version is pinned.
  // oxlint-disable-next-line no-underscore-dangle
  return [...GLOBAL, ...(run.global ?? []), ...command._getArguments()];
}

/** One input as arguments, `-i` included. */
export function inputArguments(input: RunInput, place: RunPlace): string[] {
  return [...optionsOf(input, place), '-i', pathOf(input, place)];
}

function pathOf({ from }: RunInput, { source, assets, scratch }: RunPlace): string {
  if (from.startsWith(OWN_FILE)) return fileUrl(join(scratch, from.slice(OWN_FILE.length)));
  return fileUrl(fileOf(from, source, assets).path);
}

function optionsOf({ from, seek, seconds, options }: RunInput, place: RunPlace): string[] {
  // What we made ourselves says how it is to be read.
  if (from.startsWith(OWN_FILE)) return [...options];
  const { mediaType } = fileOf(from, place.source, place.assets);
  const isPicture = mediaType.startsWith('image/') && mediaType !== 'image/gif';
  return [
    ...inputOptions(mediaType, place.maxPixels),
    ...options,
    ...(seek > 0 ? ['-ss', seek.toFixed(3)] : []),
    ...(isPicture ? [] : ['-t', Math.min(seconds ?? Infinity, place.maxSeconds).toFixed(3)]),
  ];
}

function fileOf(from: string, source: MediaFile, assets: ReadonlyMap<string, MediaFile>): MediaFile {
  const file = from === 'source' ? source : assets.get(from);
  if (file === undefined) throw new Error('a run was planned with a file that is not there');
  return file;
}
