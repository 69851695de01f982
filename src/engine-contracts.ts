// The seams to the engines: what the domain asks of sharp and FFmpeg, and of whoever reads sources for them.

import type { Readable } from 'node:stream';
import type { JobContext, LocalFile } from './contracts.ts';
import type { OutputResult } from './jobs/job.ts';
import type { ImageOutput, VideoOutput } from './jobs/recipe.ts';
import type { AcceptedFormats } from './operations/negotiation.ts';
import type { ChunkTask } from './operations/video/chunk-task.ts';
import type { FactName, ImageFacts } from './operations/image-facts.ts';

export interface RenderedImage {
  readonly data: Uint8Array;
  readonly mediaType: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly decisions: readonly string[];
  /** Whether `maxBytes` was held, where it was asked for. */
  readonly fits?: boolean;
}

export interface Rendering {
  readonly source: { readonly mediaType: string; readonly width: number; readonly height: number };
  /** In the order of the outputs asked for. */
  readonly images: readonly RenderedImage[];
  /** Milliseconds waited for a free thread, and worked. */
  readonly queueMs: number;
  readonly processMs: number;
}

/** Reads sources that are not the request's own body: stored uploads and, where they are allowed, remote files. */
export interface SourceReader {
  /**
   * All bytes of `reference`, in an ArrayBuffer of their own: `upload:{id}` of the tenant, or an https URL that the settings allow.
   * Rejects with a Problem: `source_not_found`, `source_forbidden`, `source_unavailable`, `payload_too_large`.
   */
  read(
    reference: string,
    options: { readonly tenant: string; readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly version: string }>;
}

export interface ImageEngine {
  /**
   * Renders every output from one decode. `source` is moved to a thread, not copied: it must own its
   * ArrayBuffer and is empty afterwards. A signal drops work that has not started; what runs, runs on.
   * Rejects with a Problem: `overloaded`, `image_*`, `media_type_unsupported`, `crop_outside`, `rendition_too_large`.
   */
  render(
    source: Uint8Array<ArrayBuffer>,
    outputs: readonly ImageOutput[],
    options?: {
      readonly signal?: AbortSignal;
      readonly patient?: boolean;
      /** Whose stored sources the steps may name. */
      readonly tenant?: string;
      /** Bytes of other images that steps name (watermarks), by their reference. Copied to the thread. */
      readonly assets?: ReadonlyMap<string, Uint8Array>;
      /** What the client takes, for outputs of format `auto` and `best`. Without it: everything. */
      readonly accepted?: AcceptedFormats | undefined;
    },
  ): Promise<Rendering>;
  /**
   * The facts asked for, and no others. `source` is moved as by `render`, unless all of them stand in the header: then
   * no thread is needed, and it takes microseconds. Rejects with a Problem as `render` does.
   */
  inspect(
    source: Uint8Array<ArrayBuffer>,
    fields: readonly FactName[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<ImageFacts>;
  /** Throws `overloaded` if a render would be refused now: asked before a body is read. */
  admit(): void;
  load(): { readonly running: number; readonly waiting: number; readonly threads: number };
  close(): Promise<void>;
}

/** A file on this machine, and what its bytes are. */
export interface MediaFile {
  /** Absolute. */
  readonly path: string;
  /** As sniffed from the bytes; pins FFmpeg's demuxer. */
  readonly mediaType: string;
}

/** A finished, verified file of an output. */
export interface MadeFile {
  /** Its name within the output: letters, digits, `.`, `_`, `-`. */
  readonly file: string;
  readonly mediaType: string;
  readonly bytes: number;
  /** Pixels. */
  readonly width: number | null;
  readonly height: number | null;
  /** Where it lies, inside the scratch folder; null once it was handed to `publish`. */
  readonly path: string | null;
}

export interface ProducedOutput extends Omit<OutputResult, 'key' | 'files' | 'folder'> {
  /** Those that clients are told of; the first is the one that the output's address gives. */
  readonly files: readonly MadeFile[];
}

/** Finished chunks of an encode, which outlive the attempt. Names are of letters, digits, `.`, `_` and `-`. */
export interface ChunkShelf {
  /** Names of all that are there. */
  list(): Promise<ReadonlySet<string>>;
  /** To read it by, until it is disposed of. Rejects with ENOENT if it is not there. */
  open(name: string): Promise<LocalFile>;
  /** Takes over a file of the scratch folder, in place of one of that name. Durable when it resolves. */
  keep(name: string, path: string): Promise<void>;
}

export interface SourceFacts {
  readonly mediaType?: string;
  readonly width?: number;
  readonly height?: number;
  readonly durationSeconds?: number;
}

export interface VideoEngine {
  /**
   * Makes every output of a video source: probe, as few FFmpeg runs as can be, every result verified.
   * Rejects with a Problem (`video_*`, `encode_failed`, `encoder_killed`, `encoder_missing` …), or with the
   * signal's reason, after every child process is gone.
   */
  produce(request: {
    readonly source: MediaFile;
    readonly outputs: Readonly<Record<string, VideoOutput>>;
    /** The other files that outputs name, by reference. */
    readonly assets?: ReadonlyMap<string, MediaFile>;
    /** An empty folder for the files. */
    readonly scratch: string;
    readonly signal: AbortSignal;
    readonly onSource: (facts: SourceFacts) => void;
    /** Told once the outputs are planned, in seconds of 1080p30 video; what it throws ends the work before it begins. */
    readonly onWork?: (seconds: number) => void;
    /** Takes a file of an output over while others are still being made. One that was there before is replaced. */
    readonly publish?: (output: string, file: MadeFile & { readonly path: string }) => Promise<void>;
    /**
     * Takes over an output that is finished and checked, while others are still being made; called once for each. It is
     * never made anew. The files that have a path lie in the scratch folder.
     */
    readonly onOutput?: (name: string, output: ProducedOutput) => Promise<void>;
    /** Told when what was published of unfinished outputs is void: they are made anew. */
    readonly onRestart?: () => void;
    readonly chunks?: ChunkShelf;
    /** Has chunks made on other machines, by their `encodeChunk`, and puts them on the same shelf. */
    readonly share?: JobContext['share'] | undefined;
    readonly onProgress: (update: {
      progress: number;
      speed: number | null;
      etaSeconds: number | null;
    }) => void;
  }): Promise<{
    readonly outputs: Readonly<Record<string, ProducedOutput>>;
    readonly warnings: readonly string[];
  }>;
  /**
   * Makes one output while it is read. Resolves when FFmpeg has written its first bytes; rejects as `produce` does, and
   * with `invalid_request` for an output that is more than one MP4 or WebM.
   */
  stream(request: {
    readonly source: MediaFile;
    readonly output: VideoOutput;
    readonly assets?: ReadonlyMap<string, MediaFile>;
    /** An empty folder, needed until `ended` has settled. */
    readonly scratch: string;
    readonly signal: AbortSignal;
  }): Promise<VideoStreaming>;
  /**
   * Makes one chunk of another machine's `produce` with the same source, outputs, assets and shelf; nothing if it is there
   * already. Rejects NoHelp where this machine would make another one, else with a Problem: `encode_failed` where the
   * chunk does not fit its place.
   */
  encodeChunk(request: {
    readonly source: MediaFile;
    /** All outputs of the job. */
    readonly outputs: Readonly<Record<string, VideoOutput>>;
    /** The files that the outputs of the task name. */
    readonly assets?: ReadonlyMap<string, MediaFile>;
    /** An empty folder for the files. */
    readonly scratch: string;
    readonly task: ChunkTask;
    readonly chunks: ChunkShelf;
    readonly signal: AbortSignal;
    /** Of the chunk: 0–1, and media seconds per wall second. */
    readonly onProgress: (progress: number, speed: number | null) => void;
  }): Promise<void>;
  /** The same on all machines whose `encodeChunk` makes the same bytes; null where none can be made. */
  chunkKind(): Promise<string | null>;
  /** What this FFmpeg is and has; asked once. */
  capabilities(): Promise<VideoCapabilities>;
  close(): Promise<void>;
}

/** A video that is being made. */
export interface VideoStreaming {
  readonly mediaType: string;
  /** Of the source; null where nothing tells it. */
  readonly durationSeconds: number | null;
  readonly decisions: readonly string[];
  /** FFmpeg waits where it is not read. Ends only if all went well, else it is destroyed; destroying it kills FFmpeg. */
  readonly body: Readable;
  /** Settles when FFmpeg is gone and all bytes are in `body`. Rejects with why the video is not whole. */
  readonly ended: Promise<void>;
}

export interface VideoCapabilities {
  /** E.g. `5.1.9`, or null where there is no FFmpeg. */
  readonly ffmpeg: string | null;
  readonly ffprobe: string | null;
  /** Names of the encoders that outputs may ask for and this FFmpeg has. */
  readonly encoders: readonly string[];
  /** What cannot be done, in sentences for people. */
  readonly missing: readonly string[];
}
