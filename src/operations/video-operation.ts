// What a video operation is. One file in `video/` describes itself; the planner joins what several of them ask for.

import type { z } from 'zod';
import type { AudioStream, MediaProbe, VideoStream } from './media-probe.ts';
import type { Analysis, Findings } from './video/analysis.ts';
import type { Finish } from './video/finish.ts';

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

/** Another file that an output needs: a watermark, a clip to join. */
export interface Asset {
  /** As sniffed from its bytes. */
  readonly mediaType: string;
  readonly probe: MediaProbe;
}

/** What an output is made from. */
export interface Source {
  readonly probe: MediaProbe;
  /** As sniffed from the bytes. */
  readonly mediaType: string;
  /** The stream that outputs mean. */
  readonly video: VideoStream | null;
  readonly audio: AudioStream | null;
  /** Names of the filters that this FFmpeg has. */
  readonly filters: ReadonlySet<string>;
  /** FFmpeg's names of the hardware encoders that were tried here and work. */
  readonly hardware: ReadonlySet<string>;
  /** Cores that may be used. */
  readonly cores: number;
  /** False when a copy of this source was tried and came out broken. */
  readonly mayCopy: boolean;
  /** False when an encode in chunks was tried and its parts did not fit together. */
  readonly mayChunk: boolean;
  /** Chunks are encoded by all machines of a fleet. */
  readonly sharesChunks?: boolean;
  /** What the analyses that operations asked for have found. */
  readonly findings: Findings;
  /** By the references that operations named. */
  readonly assets: ReadonlyMap<string, Asset>;
}

/** FFmpeg's per-stream options without their stream specifier: `{ c: 'libx264', crf: '23' }`. The planner adds `:v:0`. */
export type StreamOptions = Readonly<Record<string, string>>;

/** A picture laid over the frames of one output. */
export interface Overlay {
  /** Reference of an asset, or the number of a stream of the source (drawn subtitles). */
  readonly from: string | number;
  /** From its frames to those laid over: scaled, made transparent. */
  readonly filters: readonly string[];
  /** Of the overlay filter, e.g. `x=10:y=10`. */
  readonly place: string;
}

/** Where the frames of an encoded stream come from. */
export type Take =
  /**
   * The whole picture at a size: such outputs are made from one decode, each scaled from the next larger one.
   * `filters` come after that (crop, pad) and are nobody else's. They may name files in `{folder}`.
   */
  | {
      readonly from: 'picture';
      readonly size: Size;
      readonly fps: number | null;
      /** Each frame is just what is shown at its time: for pictures that are seconds apart. */
      readonly sampled?: boolean;
      readonly filters: readonly string[];
      /** Laid over after the filters, one after the other. */
      readonly overlays?: readonly Overlay[];
      /** After everything: what the encoder needs of its frames. */
      readonly last?: readonly string[];
    }
  /** A few frames near a moment, in seconds of the source. Exactly one is kept in the end. */
  | {
      readonly from: 'moment';
      readonly at: number;
      readonly frames: number;
      /** From the source's frames to the finished one; told how many frames come. */
      readonly filters: (frames: number) => readonly string[];
    }
  /** A labelled pad of the part's own graph, e.g. `[v]`. */
  | { readonly from: 'graph'; readonly label: string };

export type StreamPart =
  /** Straight from the source: copied, or sound or text to encode. */
  | {
      readonly kind: 'video' | 'audio' | 'subtitle';
      readonly source: number;
      readonly options: StreamOptions;
      /** Filters of sound. */
      readonly filters: readonly string[];
    }
  /** Frames that were decoded and filtered; or sound of the part's own graph. */
  | {
      readonly kind: 'frames' | 'sound';
      readonly take: Take;
      readonly options: StreamOptions;
    };

/** What the finished file must turn out to be. */
export interface Expectation {
  /**
   * `clip`: moves or sounds. `still`: one picture. `stills`: a numbered row of them (`%03d` in the name).
   * `segments`: a playlist and its segments, looked at as they come. `data`: anything that is not empty. `text`: may be empty.
   */
  readonly kind: 'clip' | 'still' | 'stills' | 'segments' | 'data' | 'text';
  /** As shown: after rotation. */
  readonly video: { readonly codec: string; readonly size: Size } | null;
  readonly audio: { readonly codec: string } | null;
  /** Null: not known before, as of a still. */
  readonly durationSeconds: number | null;
  /** The duration is that of the streams themselves, not of the container, which may speak of other streams. */
  readonly durationIsExact: boolean;
}

/** In options of the muxer: the folder of the output's files, relative to FFmpeg's working directory. */
export const FOLDER = '{folder}';

/** One file that FFmpeg writes for an output. */
export interface Piece {
  /** Its name in the output's folder. */
  readonly file: string;
  readonly mediaType: string;
  readonly streams: readonly StreamPart[];
  /** Options of the muxer, e.g. `-f mp4`. */
  readonly muxer: readonly string[];
  /** Options of the whole command, e.g. the device that encodes. */
  readonly global?: readonly string[];
  readonly expects: Expectation;
  /** Of a text: written from all of the source, it is then cut to this stretch. */
  readonly cut?: Window;
  /** The file may not grow past it. */
  readonly maxBytes: number;
  /** Keyframes are enough for it: where nothing else is decoded, nothing else need be. */
  readonly keyframesSuffice?: boolean;
}

/** An input of a part's own run. */
export interface PartInput {
  /** `source`, or the reference of an asset. */
  readonly from: string;
  /** Seconds to begin at, and how many to read (null: to the end). */
  readonly seek: number;
  readonly seconds: number | null;
}

/** A run that is not shared: its inputs and its whole filter graph, whose labels the pieces name. */
export interface OwnRun {
  readonly inputs: readonly PartInput[];
  readonly graph: string;
}

/** One output's part of the work. */
export interface OutputPart {
  /** Files that FFmpeg writes. The first is the one that the output's address gives. None: it is all told by `finish`. */
  readonly pieces: readonly Piece[];
  /** Before anything else, into the same folder: what the other pieces read (extracted subtitles). */
  readonly preparation?: readonly Piece[];
  /** What is made of the pieces when they are there: playlists, sprite maps, peaks. */
  readonly finish?: Finish;
  readonly own?: OwnRun;
  /** It may be encoded in so many parallel chunks. */
  readonly chunks?: { readonly count: number; readonly framesEach: number; readonly parallel: number };
  /** What it needs of the source. */
  readonly window: Window;
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
  /** References of other files that it needs: `upload:{id}`. */
  assets?(params: z.output<Schema>): readonly string[];
  /** What must be found out of the source before it can be planned. */
  analyses?(params: z.output<Schema>, source: Source): readonly Analysis[];
  /** Throws Problem (`stream_missing` …). */
  plan(params: z.output<Schema>, source: Source): OutputPart;
}
