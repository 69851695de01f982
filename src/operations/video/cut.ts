// A part of the source: the fields that say which, and what is wrong with one.

import type { z } from 'zod';
import { Problem } from '../../problems.ts';
import type { MediaProbe } from '../media-probe.ts';
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

export function windowOf({ start = 0, end }: Cut): Window {
  return { start, end: end ?? null };
}

/** Throws Problem `invalid_request` if the source ends before the cut begins. */
export function checkStart(
  { start }: Window,
  { durationSeconds }: Pick<MediaProbe, 'durationSeconds'>,
): void {
  if (durationSeconds === null || start < durationSeconds) return;
  throw new Problem(
    'invalid_request',
    `start is ${start} s, but the source is ${durationSeconds.toFixed(1)} s long. Start before its end.`,
  );
}
