// The seams: what the domain asks of queues, stores and engines. Adapters implement them, `server.ts` chooses.

import type { Readable } from 'node:stream';
import type { Job, JobStatus, Lane, NewJob, OutputResult, ProgressUpdate } from './jobs/job.ts';
import type { ImageOutput, VideoOutput } from './jobs/recipe.ts';
import type { AcceptedFormats } from './operations/negotiation.ts';
import type { FactName, ImageFacts } from './operations/image-facts.ts';

/** One page of a listing, newest first. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Cursor of the following page, or null at the end. */
  readonly next: string | null;
}

export interface JobFilter {
  readonly status?: JobStatus | undefined;
  /** 1–100. */
  readonly limit: number;
  /** The cursor of an earlier page's `next`. */
  readonly after?: string | undefined;
}

/** Something that happened to a job, in the one order that all processes see. */
export interface JobEvent {
  /** Grows by the order of commits; resume from it. */
  readonly sequence: number;
  readonly jobId: string;
  readonly type:
    | 'queued'
    | 'started'
    | 'progress'
    | 'retrying'
    | 'succeeded'
    | 'failed'
    | 'cancelled'
    | 'removed';
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Why a handler's signal aborts. A handler must stop its work and throw the signal's reason. */
export type AbortCause = 'cancelled' | 'lease_lost' | 'handed_back';

/** The reason of a handler's aborted signal. */
export class JobAborted extends Error {
  override readonly name = 'JobAborted';
  readonly why: AbortCause;
  constructor(why: AbortCause) {
    super(`the job was stopped: ${why}`);
    this.why = why;
  }
}

export interface JobContext {
  readonly signal: AbortSignal;
  /** Told to everyone who watches. May be called as often as one likes: the queue throttles it. */
  readonly progress: (update: ProgressUpdate) => void;
}

/** What a finished job leaves behind. Publishing is the queue's commit of this value: before it, nobody sees a file of it. */
export interface JobResult {
  readonly outputs: Readonly<Record<string, OutputResult>>;
  readonly warnings: readonly string[];
}

/**
 * Runs one attempt. A returned result is committed if the lease still holds, else `discard` is called.
 * A thrown Problem fails the job, or brings it back while attempts are left if its kind says `retryJob`.
 */
export interface JobHandler {
  run(job: Job, context: JobContext): Promise<JobResult>;
  /** The result was not committed (cancelled at the last moment, or fenced off by a newer attempt): remove its files. */
  discard(job: Job): Promise<void>;
  /** After the job ended for good, whatever way: its source is not needed any more. */
  settled(job: Job): Promise<void>;
}

/**
 * A durable queue: at least once, attempts counted before the work, one published result.
 * Every method may be called in any process and sees the same truth.
 */
export interface JobQueue {
  /** Durable when it resolves. For a known `idempotencyKey`: the stored job. Rejects `overloaded` past the bound. */
  add(job: NewJob): Promise<Job>;
  get(id: string): Promise<Job | undefined>;
  list(filter: JobFilter): Promise<Page<Job>>;
  /** Ends a waiting job at once; asks the owner of a running one, whose signal aborts. Undefined if unknown. */
  cancel(id: string): Promise<Job | undefined>;
  /** Forgets a job (a running one is cancelled first). Returns what was known of it. */
  remove(id: string): Promise<Job | undefined>;
  counts(): Promise<Record<JobStatus, number>>;
  /** Takes jobs of a lane from now on. `concurrency` bounds the running jobs of the lane on the whole machine. */
  work(lane: Lane, handler: JobHandler, options: { readonly concurrency: number }): void;
  /** All jobs' events after `after` (or from now on), until the signal aborts. */
  events(options: { readonly after?: number; readonly signal: AbortSignal }): AsyncIterable<JobEvent>;
  /** Resolves with the job at its next change after `since` (its `revision`), or as it is when the signal aborts. */
  changed(id: string, since: number, signal: AbortSignal): Promise<Job | undefined>;
  /** Gives the running jobs of a dead owner back at once, instead of after their lease. */
  abandon(owner: string): Promise<void>;
  /** Finished jobs whose time has come, oldest first: at most `limit`. */
  expired(now: number, limit: number): Promise<readonly Job[]>;
  /** Stops taking, waits until `deadline` (milliseconds since 1970), hands the rest back without spending an attempt. Twice is harmless. */
  close(options?: { readonly deadline?: number }): Promise<void>;
}

/** Wakes other processes sooner than their poll would. Losing a hint only costs time. */
export interface HintBus {
  publish(hint: Hint): void;
  /** Returns the function that unsubscribes. */
  subscribe(listener: (hint: Hint) => void): () => void;
}
export type Hint =
  | { readonly topic: 'work'; readonly lane: Lane }
  | { readonly topic: 'job'; readonly id: string }
  | { readonly topic: 'cancel'; readonly id: string }
  | { readonly topic: 'abandoned'; readonly owner: string }
  | { readonly topic: 'quarantine'; readonly fingerprint: string; readonly until: number };

export interface Blob {
  readonly key: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

export interface ByteRange {
  /** First byte, inclusive. */
  readonly start: number;
  /** Last byte, inclusive. */
  readonly end: number;
}

/** A path that FFmpeg and sharp can open; `await using` gives it back. */
export interface LocalFile extends AsyncDisposable {
  readonly path: string;
}

/** Keeps sources and results. Keys are ours: `sources/{id}`, `results/{id}/{attempt}/{file}`. */
export interface BlobStore {
  /** All or nothing, durable when it resolves. Rejects `payload_too_large`, `storage_full`, or what the body was destroyed with. */
  put(
    key: string,
    body: Readable,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<Blob>;
  /** Takes over a finished local file of `scratch()`: a rename where that is possible. Durable when it resolves. */
  adopt(key: string, path: string): Promise<Blob>;
  stat(key: string): Promise<Blob | undefined>;
  /** Rejects with ENOENT if there is no such blob. */
  read(key: string, range?: ByteRange): Promise<Readable>;
  local(key: string): Promise<LocalFile>;
  /** The key, or every key below it if it ends with `/`. Deleting what is not there is fine. */
  delete(key: string): Promise<void>;
  /** Everything below a prefix, in no order. */
  list(prefix: string): AsyncIterable<Blob>;
  /** A new empty folder for one attempt's work, gone when disposed. */
  scratch(name: string): Promise<LocalFile>;
  /** Removes the unfinished files of a dead owner; without a name, of every owner that gives no sign of life. */
  tidy(owner?: string): Promise<void>;
  /** Bytes that can still be stored, where that is known. */
  free(): Promise<number | undefined>;
  close(): Promise<void>;
}

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
   * All bytes of `reference`, in an ArrayBuffer of their own: `upload:{id}`, or an https URL that the settings allow.
   * Rejects with a Problem: `source_not_found`, `source_forbidden`, `source_unavailable`, `payload_too_large`.
   */
  read(
    reference: string,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
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

export interface ProducedFile extends OutputResult {
  /** Where the finished, verified file lies: inside the scratch folder. */
  readonly path: string;
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
    /** Absolute. */
    readonly path: string;
    /** As sniffed from the bytes; pins FFmpeg's demuxer. */
    readonly mediaType: string;
    readonly outputs: Readonly<Record<string, VideoOutput>>;
    /** An empty folder for the files. */
    readonly scratch: string;
    readonly signal: AbortSignal;
    readonly onSource: (facts: SourceFacts) => void;
    readonly onProgress: (update: {
      progress: number;
      speed: number | null;
      etaSeconds: number | null;
    }) => void;
  }): Promise<{
    readonly files: Readonly<Record<string, ProducedFile>>;
    readonly warnings: readonly string[];
  }>;
  /** What this FFmpeg is and has; asked once. */
  capabilities(): Promise<VideoCapabilities>;
  close(): Promise<void>;
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
