// Loudness by EBU R128: the first pass of FFmpeg's loudnorm, which prints what it measured.

import { z } from 'zod';
import { isLevelOnly, loudnessFilter } from '../../operations/video/loudness.ts';
import type { Measure } from '../analyse.ts';
import { quietRun, saidBy } from './quiet-run.ts';

const TRIALS = 3;
/** LU. */
const SMALL_STEP = 0.7;

/**
 * loudnorm counts the end of what it hears twice: 1.5 LU too much were seen of six seconds that end loudly. Silence after
 * it is counted instead, and EBU R128 leaves silence out.
 */
const TAIL = 'apad=pad_dur=4';

const figure = z.coerce.number();
const printed = z.object({
  input_i: figure,
  input_lra: figure,
  input_tp: figure,
  input_thresh: figure,
  target_offset: figure,
});

export const measureLoudness: Measure<'loudness'> = async (question, context) => {
  const { audio, filters, window, target, truePeak } = question;
  const seconds = window.end === null ? null : window.end - window.start;
  const pass = async (filter: string): ReturnType<Measure<'loudness'>> => {
    const chain = [...filters, TAIL, `${filter}:print_format=json`].join(',');
    const text = await quietRun(context, {
      input: { from: 'source', seek: window.start, seconds, options: [] },
      output: ['-map', `0:${audio}`, '-vn', '-sn', '-dn', '-af', chain, '-f', 'null', '-'],
    });
    return text === undefined ? undefined : readLoudness(text);
  };
  const found = await pass(`loudnorm=I=${target}:TP=${truePeak}:LRA=11`);
  if (!found || isLevelOnly(question, found)) return found;
  // Where peaks must be held down, loudness gets lost with them: how much is seen from trials of the second pass.
  let offset = 0;
  for (let trial = 0; trial < TRIALS; trial++) {
    const heard = await pass(loudnessFilter(question, { ...found, offset }));
    if (!heard) break;
    offset += heard.offset;
    // What is lost of so small a step is less than anybody hears.
    if (Math.abs(heard.offset) < SMALL_STEP) break;
  }
  return { ...found, offset };
};

/** What loudnorm printed, or undefined if it printed nothing of use; null for silence, of which it says `-inf`. */
export function readLoudness(text: string): Awaited<ReturnType<Measure<'loudness'>>> {
  const json = saidBy('loudnorm', text)
    .map((said) => /^\s*(\{[^{}]*"input_i"[^{}]*\})/.exec(said)?.[1])
    .findLast((found) => found !== undefined);
  if (json === undefined) return undefined;
  if (/"-?inf"/.test(json)) return null;
  try {
    const told = printed.parse(JSON.parse(json));
    return {
      integrated: told.input_i,
      range: told.input_lra,
      peak: told.input_tp,
      threshold: told.input_thresh,
      offset: told.target_offset,
    };
  } catch {
    return undefined;
  }
}
