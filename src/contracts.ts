// The seams: what the domain asks of queues and stores (of engines: engine-contracts.ts). Adapters implement them, `server.ts` chooses.

import type { Readable } from 'node:stream';
import type { Job, JobStatus, Lane, NewJob, OutputResult, ProgressUpdate } from './jobs/job.ts';

export type { Meters, RecordKind, RecordPlace, Records, Stored, Taken } from './register-contracts.ts';

/** One page of a listing, newest first. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Cursor of the following page, or null at the end. */
  readonly next: string | null;
}

export interface JobFilter {
  /** Of whom; without it: of everybody. */
  readonly tenant?: string | undefined;
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
  readonly tenant: string;
  /** Of an event of type `output`: the output that is finished. */
  readonly output?: string;
  readonly type:
    | 'queued'
    | 'started'
    | 'progress'
    | 'output'
    | 'retrying'
    | 'succeeded'
    | 'failed'
    | 'cancelled'
    | 'removed';
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Whose events. */
export type EventFilter = { readonly tenant: string } | { readonly jobId: string };

export interface EventsWanted {
  /** Those after this sequence; from now on if it is not said, or was never given. */
  readonly after?: number | undefined;
  /** Those of one tenant or of one job; of all jobs if it is not said. */
  readonly of?: EventFilter | undefined;
  readonly signal: AbortSignal;
}

/** Stands for events that are not kept any more: it goes on after `sequence`, the newest by then. */
export interface EventsLost {
  readonly type: 'lost';
  readonly sequence: number;
}

/** To be iterated over once, until its signal aborts. */
export interface EventStream extends AsyncIterable<JobEvent | EventsLost> {
  /** Everything up to this sequence is done with, or was none of its: whoever resumes from here misses nothing. */
  readonly position: number;
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

/** Thrown by a handler whose job belongs into another lane: it waits there from now on, and the attempt is not spent. */
export class Reroute extends Error {
  override readonly name = 'Reroute';
  readonly lane: Lane;
  constructor(lane: Lane) {
    super(`the job belongs into the lane ${lane}`);
    this.lane = lane;
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
 * A thrown Problem fails the job, or brings it back while attempts are left if its kind says `retryJob`. A thrown
 * Reroute moves it to another lane, at once.
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
  /** The job that was added with this `idempotencyKey`, while it is kept. */
  made(idempotencyKey: string): Promise<Job | undefined>;
  get(id: string): Promise<Job | undefined>;
  list(filter: JobFilter): Promise<Page<Job>>;
  /** Ends a waiting job at once; asks the owner of a running one, whose signal aborts. Undefined if unknown. */
  cancel(id: string): Promise<Job | undefined>;
  /** Forgets a job (a running one is cancelled first). Returns what was known of it. */
  remove(id: string): Promise<Job | undefined>;
  /** How many jobs there are; of one tenant if it is named, which costs more the more it has. */
  counts(tenant?: string): Promise<Record<JobStatus, number>>;
  /** How each lane stands, of all tenants together. */
  lanes(): Promise<Record<Lane, LaneStanding>>;
  /** Takes jobs of a lane from now on. `concurrency` bounds the running jobs of the lane on the whole machine. */
  work(lane: Lane, handler: JobHandler, options: { readonly concurrency: number }): void;
  /**
   * Events in their order, each once. Who waits for those of one tenant or job costs nothing while others have theirs.
   * Old ones are forgotten, but not the newest few thousand, nor those of the last minutes.
   */
  events(wanted: EventsWanted): EventStream;
  /** The sequence of the newest event ever; 0 before the first. What was committed before the call is counted. */
  newestEvent(): Promise<number>;
  /** Whether a job has events after `after`, or may have had some that are forgotten. */
  hasNews(jobId: string, after: number): Promise<boolean>;
  /** Resolves with the job at its next change after `since` (its `revision`), or as it is when the signal aborts. */
  changed(id: string, since: number, signal: AbortSignal): Promise<Job | undefined>;
  /** Gives the running jobs of a dead owner back at once, instead of after their lease. */
  abandon(owner: string): Promise<void>;
  /** Finished jobs whose time has come, oldest first: at most `limit`. */
  expired(now: number, limit: number): Promise<readonly Job[]>;
  /**
   * Jobs that ended before `before` (milliseconds since 1970) and whose end was not acknowledged, oldest first: at most
   * `limit`. Noted in the very commit that ends a job, so that what is owed for it (webhooks, accounts) survives any crash.
   */
  endings(before: number, limit: number): Promise<readonly Job[]>;
  /** All that is owed for the end of this job is done, or written down elsewhere. Twice is harmless; a power cut may take it back. */
  acknowledge(id: string): Promise<void>;
  /** Stops taking, waits until `deadline` (milliseconds since 1970), hands the rest back without spending an attempt. Twice is harmless. */
  close(options?: { readonly deadline?: number }): Promise<void>;
}

/** How busy a lane is on the whole machine. */
export interface LaneStanding {
  readonly waiting: number;
  readonly running: number;
  /** When the oldest of the waiting was accepted, in milliseconds since 1970; null where none waits. */
  readonly oldestSince: number | null;
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
  /** Whoever writes to this upload is to stop: somebody else goes on with it. */
  | { readonly topic: 'upload'; readonly id: string }
  /** Something is due to be delivered. */
  | { readonly topic: 'delivery' }
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

/** A piece of an upload: the first bytes of a segment. */
export interface StoredPiece {
  readonly key: string;
  /** So many count; behind them may lie what nobody vouches for. */
  readonly bytes: number;
  /** Whoever wrote it has ended for certain: nobody writes to it any more. */
  readonly closed: boolean;
}

/** Where uploads grow that come little by little. A segment has one writer, whom others may leave behind. */
export interface SegmentStore {
  /**
   * Writes `body` behind the first `at` bytes of a segment, which is made if `at` is 0; what lay behind them is dropped.
   * `kept` is told from time to time how many bytes of the segment are durable; the writing ends if it rejects.
   * Resolves, when nothing writes any more, with the durable bytes and with what ended it before the body's end:
   * `storage_full`, `payload_too_large` (what fitted is kept), ENOENT if the segment is gone or has fewer bytes than `at`,
   * whatever the body or `kept` threw.
   */
  append(
    key: string,
    body: AsyncIterable<Uint8Array>,
    options: {
      readonly at: number;
      /** Of this body. */
      readonly maxBytes: number;
      readonly kept?: ((bytes: number) => Promise<void>) | undefined;
    },
  ): Promise<{ readonly bytes: number; readonly failure: unknown }>;
  /**
   * Makes a blob of pieces, in that order: all or nothing, durable. A single closed one may become it, and be gone. Rejects
   * with ENOENT where one is gone or too short, with `storage_full`, and where the signal aborts.
   */
  join(
    pieces: readonly StoredPiece[],
    to: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Blob>;
}

/** Keeps sources and results. Keys are ours: `sources/{id}`, `results/{id}/{attempt}/{file}`. */
export interface BlobStore extends SegmentStore {
  /** All or nothing, durable when it resolves. Rejects `payload_too_large`, `storage_full`, or what the body was destroyed with. */
  put(
    key: string,
    body: Readable,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<Blob>;
  /** Takes over a finished local file of `scratch()`: a rename where that is possible. Durable when it resolves. */
  adopt(key: string, path: string): Promise<Blob>;
  /** The same bytes under another key, without sending them through this process where that is possible. Rejects with ENOENT. */
  copy(from: string, to: string): Promise<Blob>;
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
