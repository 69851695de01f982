// Qualities by name: how like the source the result must be. What gives that is searched for on short samples.

import type { Piece, Window } from '../video-operation.ts';
import type { Analysis, Findings } from './analysis.ts';
import { crfBounds } from './encoders.ts';
import type { PictureCodec } from './encoders.ts';

export const QUALITY_WORDS = ['visually-lossless', 'high', 'economy'] as const;
export type QualityWord = (typeof QUALITY_WORDS)[number];

interface Aim {
  /** 97: nobody tells it from the source side by side; 93: nobody notices without it; 85: faults show to those who look. */
  readonly vmaf: number;
  /** Of an FFmpeg without libvmaf: where x264 reaches about the same on films. 0–1. */
  readonly ssim: number;
  /** Where the search begins, and what is taken if it fails. */
  readonly crf: Readonly<Record<PictureCodec, number>>;
  /** For hardware, on which there is no search: 1–100. */
  readonly quality: number;
}

const AIMS: Readonly<Record<QualityWord, Aim>> = {
  'visually-lossless': { vmaf: 97, ssim: 0.99, crf: { h264: 18, hevc: 20, av1: 24, vp9: 24 }, quality: 92 },
  high: { vmaf: 93, ssim: 0.98, crf: { h264: 22, hevc: 25, av1: 32, vp9: 31 }, quality: 78 },
  economy: { vmaf: 85, ssim: 0.96, crf: { h264: 28, hevc: 30, av1: 42, vp9: 40 }, quality: 60 },
};

export function isQualityWord(quality: number | QualityWord | undefined): quality is QualityWord {
  return typeof quality === 'string';
}

export function firstCrf(word: QualityWord, codec: PictureCodec): number {
  return AIMS[word].crf[codec];
}

export function hardwareQuality(word: QualityWord): number {
  return AIMS[word].quality;
}

/**
 * How far from its beginning a search may go, better and worse. A camera that stands still is so like itself that SSIM
 * takes CRF 51 for it (seen), and grain is never like enough: both ends have to be held.
 */
const REACH: Readonly<Record<PictureCodec, { readonly better: number; readonly worse: number }>> = {
  h264: { better: 8, worse: 6 },
  hevc: { better: 8, worse: 6 },
  av1: { better: 14, worse: 14 },
  vp9: { better: 14, worse: 14 },
};

/** What to search for. `picture` encodes the frames, at `firstCrf`. */
export function qualityQuestion(
  word: QualityWord,
  codec: PictureCodec,
  picture: Piece,
  window: Window,
): Analysis & { kind: 'quality' } {
  const { ssim, vmaf } = AIMS[word];
  const first = firstCrf(word, codec);
  const { min, max } = crfBounds(codec);
  const { better, worse } = REACH[codec];
  const crf = { min: Math.max(min, first - better), max: Math.min(max, first + worse), first };
  return { kind: 'quality', ssim, vmaf, picture, crf, window };
}

/** The CRF that was found, or else a fixed one; and a sentence about it. */
export function foundCrf(
  word: QualityWord,
  question: Analysis & { kind: 'quality' },
  findings: Findings,
): { readonly crf: number; readonly decision: string } {
  const found = findings.get(question);
  if (found === undefined) {
    const { first } = question.crf;
    return { crf: first, decision: `quality "${word}": CRF ${first}, since it could not be measured` };
  }
  const { crf, measure, reached, tries } = found;
  const figure = measure === 'ssim' ? `SSIM ${reached.toFixed(4)}` : `VMAF ${reached.toFixed(1)}`;
  const aim = measure === 'ssim' ? question.ssim : question.vmaf;
  const met = reached >= aim ? `reaches ${figure}` : `comes nearest with ${figure}`;
  const times = tries === 1 ? 'one try' : `${tries} tries`;
  return { crf, decision: `quality "${word}": CRF ${crf} ${met} (wanted ${aim}, ${times} on samples)` };
}
