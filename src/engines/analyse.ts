// Finds out what outputs need to know of a source before they are planned: each question once, one after the other.

import type { Logger } from '../logger.ts';
import { analysisKey, findingsOf } from '../operations/video/analysis.ts';
import type { Analysis, FindingOf, Findings } from '../operations/video/analysis.ts';
import type { Source } from '../operations/video-operation.ts';
import { findBestFrame } from './analyses/best-frame.ts';
import { measureInterlacing } from './analyses/interlacing.ts';
import { measureKeyframes } from './analyses/keyframes.ts';
import { measureLoudness } from './analyses/loudness.ts';
import { searchQuality } from './analyses/quality.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';

export interface AnalysisContext {
  readonly tools: FfmpegTools;
  readonly place: RunPlace;
  /** Without findings of its own. */
  readonly source: Source;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  readonly log?: Pick<Logger, 'debug' | 'warn'>;
}

/** Undefined: it could not be found out, and the output is made without knowing. Rejects only when stopped. */
export type Measure<Kind extends Analysis['kind']> = (
  analysis: Analysis & { kind: Kind },
  context: AnalysisContext,
) => Promise<FindingOf[Kind] | undefined>;

const MEASURES: { readonly [Kind in Analysis['kind']]: Measure<Kind> } = {
  loudness: measureLoudness,
  interlacing: measureInterlacing,
  keyframes: measureKeyframes,
  bestFrame: findBestFrame,
  quality: searchQuality,
};

/** Answers all questions; equal ones once. */
export async function analyse(analyses: readonly Analysis[], context: AnalysisContext): Promise<Findings> {
  const found = new Map<string, unknown>();
  for (const analysis of analyses) {
    const key = analysisKey(analysis);
    if (found.has(key)) continue;
    // The table pairs each kind with the function for it, which TypeScript cannot follow.
    const measure = MEASURES[analysis.kind] as Measure<Analysis['kind']>;
    found.set(key, await measure(analysis, context));
  }
  return findingsOf(found);
}
