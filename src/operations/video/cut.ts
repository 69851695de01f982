// A part of the source: the fields that say which, and what is wrong with one.

import type { z } from 'zod';
import { Problem } from '../../problems.ts';
import type { AudioStream, MediaProbe, VideoStream } from '../media-probe.ts';
import type { Window } from '../video-operation.ts';
import { MAX_SECONDS, number } from './fields.ts';

export const cutFields = {
  start: number(0, MAX_SECONDS)
    .optional()
    .describe('Cut: seconds of the source to begin at, 0–604800. Default: its beginning'),
  end: number(0.04, MAX_SECONDS)
    .optional()
    .describe('Cut: seconds of the source to end at, 0.04–604800, after start. Default: its end'),
};

export interface Cut {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** The check that goes across the fields. */
export function checkCut({ start, end }: Cut, context: z.core.$RefinementCtx): void {
  if (end === undefined || end > (start ?? 0)) return;
  const message = `end must come after start, which is ${start ?? 0}`;
  context.addIssue({ code: 'custom', path: ['end'], message });
}

/** What a cut is held against. */
export interface Whole {
  /** Where the streams that are wanted end. Null: not known for sure. */
  readonly seconds: number | null;
  /** Of the shortest frame; 0.04 where there are none. */
  readonly frameSeconds: number;
  /** An end so close to that of the source is the source's own, as people write it. */
  readonly marginSeconds: number;
}

const SOUND_FRAME_SECONDS = 0.04;
const SOUND_MARGIN_SECONDS = 0.01;
/** Seconds reach FFmpeg with three decimals. */
const ROUNDING_SECONDS = 0.0004;

/** The streams that are wanted, on the clock of the file. */
export function wholeOf(
  { startSeconds, durationSeconds }: MediaProbe,
  video: VideoStream | null,
  sounds: readonly AudioStream[],
): Whole {
  const streams = [...(video === null ? [] : [video]), ...sounds];
  const ends = streams.map((stream) => {
    const late = Math.max(0, (stream.startSeconds ?? 0) - (startSeconds ?? 0));
    return stream.durationSeconds === null ? null : stream.durationSeconds + late;
  });
  const known = ends.filter((end) => end !== null);
  // Where the rate varies, frames may lie closer together than the mean says.
  const rate = video?.baseFps ?? video?.fps ?? 0;
  const frameSeconds = rate > 0 ? 1 / rate : SOUND_FRAME_SECONDS;
  return {
    seconds: known.length > 0 && known.length === ends.length ? Math.max(...known) : durationSeconds,
    frameSeconds,
    // A slide that stays for a minute is a frame too: an end within it is meant.
    marginSeconds: video === null ? SOUND_MARGIN_SECONDS : Math.min(frameSeconds, SOUND_FRAME_SECONDS),
  };
}

/** An `end` at that of the source, or past it, is none: it would make a copy impossible for nothing. */
export function windowOf({ start = 0, end }: Cut, { seconds, marginSeconds }: Whole): Window {
  if (end === undefined) return { start, end: null };
  // Who leaves out just the last frame means it.
  const isWhole = seconds !== null && end > seconds - marginSeconds + ROUNDING_SECONDS;
  return { start, end: isWhole ? null : end };
}

/** What people should know of their `end`. */
export function cutDecisions({ end }: Cut, { seconds, marginSeconds }: Whole): string[] {
  if (end === undefined || seconds === null || end <= seconds + marginSeconds) return [];
  return [`end is beyond the source, which is ${seconds.toFixed(1)} s long`];
}

/** Throws Problem `invalid_request` if the source ends before the cut begins, or less than a frame later. */
export function checkStart({ start }: Window, { seconds, frameSeconds }: Whole): void {
  if (seconds === null || start === 0) return;
  const left = seconds - start;
  if (left > 0 && left >= frameSeconds - ROUNDING_SECONDS) return;
  throw new Problem(
    'invalid_request',
    left > 0
      ? `start is ${start} s, but the source is ${seconds.toFixed(2)} s long, so less than a frame is left. Start sooner.`
      : `start is ${start} s, but the source is ${seconds.toFixed(1)} s long. Start before its end.`,
  );
}
