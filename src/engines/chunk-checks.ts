// Looks at the frames of a source before it is cut, and of every chunk after: all there, each at its time.

import { z } from 'zod';
import type { Rate } from '../operations/video/chunk-plan.ts';
import { Problem } from '../problems.ts';
import type { ChildEnd } from './child.ts';
import { ChunkFault } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';
import { fileUrl, MAX_FPS, wholeInput } from './ffmpeg-input.ts';

type Context = Pick<RunContext, 'tools' | 'place' | 'signal'>;

const QUIET = '-hide_banner -loglevel level+error'.split(' ');
/** A frame may be so far off its place, in frames: containers that count in milliseconds round. */
const OFF_GRID = 0.3;

/** Frames of the source's video stream. Rejects ChunkFault if they are not all there, each at its time. */
export async function countFrames(
  video: number,
  rate: Rate,
  { tools, place, signal }: Context,
): Promise<number> {
  const args = [
    ...QUIET,
    ...'-of csv=p=0 -show_entries packet=pts_time -select_streams'.split(' '),
    `${video}`,
    ...wholeInput(place.source, place.maxPixels),
  ];
  const times: number[] = [];
  const enough = new AbortController();
  const end = unkilled(
    await tools.ffprobeLines(args, AbortSignal.any([signal, enough.signal]), (line) => {
      if (line === '') return;
      times.push(Number.parseFloat(line));
      if (times.length > place.maxSeconds * MAX_FPS) {
        enough.abort(new ChunkFault('the source has more frames than any that is taken'));
      }
    }),
  );
  if (end.code !== 0 || end.stopped !== null)
    throw new ChunkFault('the frames of the source could not be counted');
  return gridOf(times, rate.value);
}

/** Says nothing of the file: the job is tried again, and its chunks are still good. */
function unkilled(end: ChildEnd): ChildEnd {
  if (end.stopped === null && (end.signal === 'SIGKILL' || end.signal === 'SIGTERM')) {
    throw new Problem('encoder_killed', `ffprobe was stopped from outside by ${end.signal}.`);
  }
  return end;
}

/** How many times there are, in seconds and any order, if they lie on a grid of so many a second. Throws ChunkFault. */
export function gridOf(times: readonly number[], fps: number): number {
  const sorted = Float64Array.from(times).toSorted();
  const first = sorted[0];
  if (first === undefined) throw new ChunkFault('the source has no frames');
  // NaN, for a frame without a time, is sorted to the end and fits nowhere.
  const off = sorted.findIndex((time, index) => !(Math.abs((time - first) * fps - index) <= OFF_GRID));
  if (off !== -1) throw new ChunkFault(`frame ${off} of the source is not where a steady rate puts it`);
  return sorted.length;
}

const figure = z.coerce.number();
const lookedAt = z.object({
  streams: z.tuple([
    z.object({ nb_read_packets: figure, start_time: figure.catch(0), duration: figure.catch(Number.NaN) }),
  ]),
});

/** What is wrong with a chunk at `path`, or null. */
export async function chunkFault(
  path: string,
  frames: number,
  rate: Rate,
  context: Context,
): Promise<string | null> {
  const found = await packetsOf(path, 'mov', context);
  if (found === null) return 'it cannot be read';
  if (found.packets !== frames) return `it has ${found.packets} frames, not ${frames}`;
  const frame = 1 / rate.value;
  // A gap shows in the length: every frame has the time of its place.
  if (Math.abs(found.start) > frame / 4) return 'its first frame is missing';
  if (Math.abs(found.seconds - frames * frame) > frame / 4) return 'frames are missing in it';
  return null;
}

/** What is wrong with the joined file, or null. */
export async function joinFault(path: string, frames: number, context: Context): Promise<string | null> {
  const found = await packetsOf(path, 'mov,matroska', context);
  if (found === null) return 'it cannot be read';
  return found.packets === frames ? null : `it has ${found.packets} frames, not ${frames}`;
}

async function packetsOf(
  path: string,
  demuxers: string,
  { tools, signal }: Context,
): Promise<{ packets: number; start: number; seconds: number } | null> {
  const args = [
    ...QUIET,
    ...'-of json -count_packets -select_streams v:0'.split(' '),
    ...['-show_entries', 'stream=nb_read_packets,start_time,duration'],
    ...['-protocol_whitelist', 'file', '-format_whitelist', demuxers],
    ...['-i', fileUrl(path)],
  ];
  const lines: string[] = [];
  const end = unkilled(await tools.ffprobeLines(args, signal, (line) => lines.push(line)));
  if (end.code !== 0 || end.stopped !== null) return null;
  const [stream] = lookedAt.safeParse(JSON.parse(lines.join('\n'))).data?.streams ?? [];
  if (stream === undefined) return null;
  return { packets: stream.nb_read_packets, start: stream.start_time, seconds: stream.duration };
}
