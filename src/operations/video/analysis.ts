// What can be found out of a source before the outputs are planned; each question is answered once per job.

import type { Window } from '../video-operation.ts';
import type { Piece } from '../video-operation.ts';

export type Analysis =
  /** EBU R128, by the first pass of `loudnorm`. `filters`: what the sound goes through before, as a downmix. */
  | {
      readonly kind: 'loudness';
      /** Number of the stream. */
      readonly audio: number;
      /** LUFS, and dBTP that no peak may pass. */
      readonly target: number;
      readonly truePeak: number;
      readonly filters: readonly string[];
      readonly window: Window;
    }
  /** Whether frames are really interlaced, by `idet`, where the file does not say. */
  | { readonly kind: 'interlacing'; readonly video: number }
  /** Seconds between keyframes, from the packets; of a very large file those of its first minute. */
  | { readonly kind: 'keyframes'; readonly video: number }
  /** The frame that shows most, among keyframes from all over the video (or all frames of a short one). */
  | { readonly kind: 'bestFrame'; readonly video: number; readonly seconds: number }
  /** The CRF that reaches a likeness on short samples. */
  | {
      readonly kind: 'quality';
      /** SSIM 0–1, and VMAF 0–100 for an FFmpeg that has it. */
      readonly ssim: number;
      readonly vmaf: number;
      /** Encodes the picture as it will be encoded, but for `crf`. */
      readonly picture: Piece;
      readonly crf: { readonly min: number; readonly max: number; readonly first: number };
      readonly window: Window;
    };

export interface FindingOf {
  /** LUFS, LU and dBTP as loudnorm prints them. Null: silence, which has no loudness. */
  readonly loudness: {
    readonly integrated: number;
    readonly range: number;
    readonly peak: number;
    readonly threshold: number;
    readonly offset: number;
  } | null;
  readonly interlacing: { readonly interlaced: boolean };
  /** The longest distance seen, or null if it could not be told. */
  readonly keyframes: { readonly longestSeconds: number | null };
  /** Null: all of them are blank. */
  readonly bestFrame: { readonly at: number; readonly candidates: number } | null;
  readonly quality: {
    readonly crf: number;
    readonly measure: 'ssim' | 'vmaf';
    readonly reached: number;
    readonly tries: number;
  };
}

export interface Findings {
  /** Undefined if nobody asked, or it could not be found out. */
  get<Kind extends Analysis['kind']>(analysis: Analysis & { kind: Kind }): FindingOf[Kind] | undefined;
  /** All answers by `analysisKey`, where they are known one by one. */
  readonly all?: ReadonlyMap<string, unknown>;
}

/** Equal questions have equal keys. */
export function analysisKey(analysis: Analysis): string {
  return JSON.stringify(analysis);
}

export const NO_FINDINGS: Findings = { get: () => undefined };

/** Of answers by the `analysisKey` of their question. */
export function findingsOf(all: ReadonlyMap<string, unknown>): Findings {
  return {
    all,
    get: <Kind extends Analysis['kind']>(analysis: Analysis & { kind: Kind }) =>
      all.get(analysisKey(analysis)) as FindingOf[Kind] | undefined,
  };
}
