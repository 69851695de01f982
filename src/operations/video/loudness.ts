// Sound brought to one loudness (EBU R128) in two passes: the first measures, the second needs to change nothing but the level.

import type { AudioStream } from '../media-probe.ts';
import type { Source, Window } from '../video-operation.ts';
import type { Analysis, FindingOf } from './analysis.ts';

export interface LoudnessWish {
  /** LUFS, integrated over the whole. -70 to -5. */
  readonly target: number;
  /** dBTP: no peak may be higher. -9 to 0. */
  readonly truePeak: number;
}

export const DEFAULT_TRUE_PEAK = -1.5;

/** Of the second pass. loudnorm gives 192 kHz where it has to work on peaks. */
export const LOUDNESS_RATE = 48_000;

/** The question that `loudnessPlan` wants answered. `before`: the filters that stand before it there. */
export function loudnessQuestion(
  { target, truePeak }: LoudnessWish,
  audio: AudioStream,
  window: Window,
  before: readonly string[],
): Analysis & { kind: 'loudness' } {
  return { kind: 'loudness', audio: audio.index, target, truePeak, filters: before, window };
}

export interface LoudnessPlan {
  /** After `before`; when there are any, the sample rate must be set. */
  readonly filters: readonly string[];
  readonly decision: string;
}

/** What brings a track to a loudness, as far as it was measured. */
export function loudnessPlan(
  source: Pick<Source, 'filters' | 'findings'>,
  question: Analysis & { kind: 'loudness' },
): LoudnessPlan {
  const { target, truePeak } = question;
  if (!source.filters.has('loudnorm')) {
    return { filters: [], decision: 'loudness left alone: this FFmpeg has no loudnorm filter' };
  }
  const found = source.findings.get(question);
  if (found === null) return { filters: [], decision: 'loudness left alone: the sound is silence' };
  if (found === undefined) {
    return {
      filters: [`loudnorm=I=${target}:TP=${truePeak}:LRA=11`],
      decision: `loudness brought to about ${target} LUFS while it played: it could not be measured before`,
    };
  }
  const filters = [loudnessFilter(question, found)];
  const change = `loudness ${found.integrated} LUFS brought to ${target}`;
  if (isLevelOnly(question, found))
    return { filters, decision: `${change}: one change of level for all of it` };
  return {
    filters,
    decision: `${change}: loud parts less than others, or peaks of ${found.peak} dBTP would rise above ${truePeak}`,
  };
}

type Measured = NonNullable<FindingOf['loudness']>;

/** Whether a mere change of level is enough: no peak rises too high by it. */
export function isLevelOnly(
  { target, truePeak }: Pick<LoudnessWish, 'target' | 'truePeak'>,
  { peak, integrated }: Pick<Measured, 'peak' | 'integrated'>,
): boolean {
  return peak + target - integrated <= truePeak;
}

/** The second pass. */
export function loudnessFilter({ target, truePeak }: LoudnessWish, found: Measured): string {
  return `loudnorm=I=${target}:TP=${truePeak}:LRA=${rangeFor(found)}:${measured(found)}:linear=true`;
}

/** A range narrower than the source's would keep loudnorm from a plain change of level. Its bounds before FFmpeg 5 were 1–20. */
function rangeFor({ range }: Measured): string {
  return within(Math.max(11, Math.ceil(range)), 1, 50).toFixed(0);
}

/** Within the bounds of loudnorm's options: samples with decimals may be louder than full scale. */
function measured({ integrated, range, peak, threshold, offset }: Measured): string {
  return [
    `measured_I=${within(integrated, -99, 0).toFixed(2)}`,
    `measured_LRA=${within(range, 0, 99).toFixed(2)}`,
    `measured_TP=${within(peak, -99, 99).toFixed(2)}`,
    `measured_thresh=${within(threshold, -99, 0).toFixed(2)}`,
    `offset=${within(offset, -99, 99).toFixed(2)}`,
  ].join(':');
}

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
