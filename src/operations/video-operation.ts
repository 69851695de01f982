// What a video operation is. One file in `video/` describes itself; the planner joins what several of them ask for.

import type { z } from 'zod';
import type { AudioStream, MediaProbe, VideoStream } from './media-probe.ts';

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A stretch of the source, in seconds. */
export interface Window {
  readonly start: number;
  /** Null: to the end. */
  readonly end: number | null;
}

/** What an output is made from. */
export interface Source {
  readonly probe: MediaProbe;
  /** The stream that outputs mean. */
  readonly video: VideoStream | null;
  readonly audio: AudioStream | null;
  /** Names of the filters that this FFmpeg has. */
  readonly filters: ReadonlySet<string>;
  /** False when a copy of this source was tried and came out broken. */
  readonly mayCopy: boolean;
}

/** FFmpeg's per-stream options without their stream specifier: `{ c: 'libx264', crf: '23' }`. The planner adds `:v:0`. */
export type StreamOptions = Readonly<Record<string, string>>;

/** Where the frames of an encoded stream come from. */
export type Take =
  /**
   * The whole picture at a size: such outputs are made from one decode, each scaled from the next larger one.
   * `filters` come last (crop, pad) and are nobody else's.
   */
  | {
      readonly from: 'picture';
      readonly size: Size;
      readonly fps: number | null;
      readonly filters: readonly string[];
    }
  /** A few frames near a moment, in seconds of the source. Exactly one is kept in the end. */
  | {
      readonly from: 'moment';
      readonly at: number;
      readonly frames: number;
      /** From the source's frames to the finished one; told how many frames come. */
      filters(frames: number): readonly string[];
    };

export type StreamPart =
  /** Straight from the source: copied, or sound to encode. */
  | {
      readonly kind: 'video' | 'audio';
      readonly source: number;
      readonly options: StreamOptions;
      /** Filters of sound. */
      readonly filters: readonly string[];
    }
  /** Frames that were decoded and filtered. */
  | { readonly kind: 'frames'; readonly take: Take; readonly options: StreamOptions };

/** What the finished file must turn out to be. */
export interface Expectation {
  readonly kind: 'clip' | 'still';
  /** As shown: after rotation. */
  readonly video: { readonly codec: string; readonly size: Size } | null;
  readonly audio: { readonly codec: string } | null;
  /** Null: not known before, as of a still. */
  readonly durationSeconds: number | null;
  /** The duration is that of the streams themselves, not of the container, which may speak of other streams. */
  readonly durationIsExact: boolean;
}

/** One output's part of an FFmpeg command. */
export interface OutputPart {
  /** Of the file's name, without the dot. */
  readonly extension: string;
  readonly mediaType: string;
  readonly streams: readonly StreamPart[];
  /** Options of the muxer, e.g. `-f mp4`. */
  readonly muxer: readonly string[];
  /** What it needs of the source. */
  readonly window: Window;
  readonly expects: Expectation;
  /** The file may not grow past it. */
  readonly maxBytes: number;
  /** Encoders that FFmpeg must have. */
  readonly encoders: readonly string[];
  /** Sentences for people: what was done and why. */
  readonly decisions: readonly string[];
}

export interface VideoExample<Params> {
  /** What a reader sees it do. */
  readonly shows: string;
  readonly params: Params;
  /** The same in the URL of `POST /v1/videos`, where it has a short form. */
  readonly query?: string;
}

/** One kind of output. Pure: no process, no disk. */
export interface VideoOperation<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** One sentence for the reference and the console. */
  readonly summary: string;
  /** Strict, with `type` = `name`. Every number is bounded at both ends; text is an enum or matches a grammar of ours. */
  readonly params: Schema;
  readonly examples: readonly VideoExample<z.input<Schema>>[];
  /** Throws Problem (`stream_missing` …). */
  plan(params: z.output<Schema>, source: Source): OutputPart;
}
