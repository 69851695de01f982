// The seams: what the domain asks of queues and stores (of engines: engine-contracts.ts). Adapters implement them, `server.ts` chooses.

import type { Job, JobStatus, Lane, NewJob, OutputResult, ProgressUpdate } from './jobs/job.ts';

export type {
  KeptRecord,
  Meters,
  RecordKind,
  RecordPlace,
  Records,
  Stored,
  Taken,
} from './register-contracts.ts';
export type { Blob, BlobStore, ByteRange, LocalFile, SegmentStore, StoredPiece } from './store-contracts.ts';

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
  /**
   * Has parts of the job's work done wherever there is a place for one, on any machine; only queues that several machines
   * share have it. Resolves when all are done; rejects with the Problem of the first that failed for good, with NoHelp
   * where nobody takes such parts, or with the signal's reason, when no part is worked on any more as far as can be told.
   * Without parts it only forgets what an earlier attempt has left. Parts of a job with the same name are the same work: a later attempt joins those that an earlier one has begun.
   * Whoever asks looks whether all is there afterwards: a part that was lost with its machine's disk counts as done.
   */
  readonly share?: (
    parts: readonly WorkPart[],
    options: {
      /** Only handlers of this kind get them. */
      readonly kind: string;
      /** Ends it besides the job's own signal. */
      readonly signal?: AbortSignal;
      /** How far one is, 0–1, and in media seconds per wall second. */
      readonly told: (name: string, progress: number, speed: number | null) => void;
    },
  ) => Promise<void>;
}

/** Nobody takes parts of a kind, or can do what a part asks for: whoever wanted them does the work alone. */
export class NoHelp extends Error {
  override readonly name = 'NoHelp';
}

/** A piece of a job's work that any machine may do. What it makes, it puts into the store. */
export interface WorkPart {
  /** Unique in the job: letters, digits, `.`, `_`, `-`. */
  readonly name: string;
  /** What to do, as JSON. */
  readonly task: unknown;
}

/** Does parts of jobs. Run again where a process died over one, so it must not matter if it was done before. */
export interface PartHandler {
  /**
   * What parts it can do, as letters and digits: those of one kind make the same bytes of the same task. Null: none at
   * present; it is asked again.
   */
  kind(): Promise<string | null>;
  /** As of JobHandler. */
  able?(): Promise<boolean>;
  /**
   * `job` as it was when its part was taken. A thrown Problem fails the part, or brings it back if its kind says
   * `retryJob` or `jobWaits`; a thrown NoHelp gives the work back to whoever shared it.
   */
  run(
    part: WorkPart & { readonly job: Job },
    context: {
      readonly signal: AbortSignal;
      readonly progress: (progress: number, speed: number | null) => void;
    },
  ): Promise<void>;
  /** The job has ended meanwhile: what parts made for it is not wanted any more. */
  discard(jobId: string): Promise<void>;
}

/** What a finished job leaves behind. Publishing is the queue's commit of this value: before it, nobody sees a file of it. */
export interface JobResult {
  readonly outputs: Readonly<Record<string, OutputResult>>;
  readonly warnings: readonly string[];
}

/**
 * Runs one attempt. A returned result is committed if the lease still holds, else `discard` is called.
 * A thrown Problem fails the job, or brings it back: while attempts are left if its kind says `retryJob`, without an
 * attempt spent and for a day if it says `jobWaits`. A thrown Reroute moves it to another lane, at once.
 */
export interface JobHandler {
  /** Whether it can do anything at present; no job is taken for it while it cannot. It always can if it does not say. */
  able?(): Promise<boolean>;
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
  /** Takes jobs of a lane from now on. `concurrency` bounds the running jobs of the lane on this machine, all its processes together. */
  work(lane: Lane, handler: JobHandler, options: { readonly concurrency: number }): void;
  /** Takes parts of jobs from now on, where the queue has them (`JobContext.share`). `concurrency` as of `work`. */
  workParts?(handler: PartHandler, options: { readonly concurrency: number }): void;
  /** How the parts stand that machines like this one take, all machines together; null where none are taken here. */
  parts?(): Promise<LaneStanding | null>;
  /**
   * Events in their order, each once. Who waits for those of one tenant or job costs nothing while others have theirs.
   * Old ones are forgotten, but not the newest few thousand, nor those of the last minutes.
   */
  events(wanted: EventsWanted): EventStream;
  /** The sequence of the newest event ever; 0 before the first. What was committed before the call is counted. */
  newestEvent(): Promise<number>;
  /** Whether a job has events after `after`, or may have had some that are forgotten. */
  hasNews(jobId: string, after: number): Promise<boolean>;
  /** Resolves with the job once it has ended, or as it is when the signal aborts; undefined where it is not there any more. What it does until then costs the waiting nothing. */
  finished(id: string, signal: AbortSignal): Promise<Job | undefined>;
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
  /** All that is kept, by id, the smallest first: at most `limit` of those after the id `after`. For a move to another queue. */
  dump(after: string | undefined, limit: number): Promise<readonly KeptJob[]>;
  /**
   * Takes a job over as another queue had it; one that ran waits again, its attempt not spent. False if one of that id is
   * there, or of its key: nothing is changed. No bound on waiting jobs applies. Events are told only of those that wait,
   * and of one that ends by it because it was to be cancelled; everything else of a job stays as it was, its revision too.
   */
  restore(kept: KeptJob): Promise<boolean>;
  /** Events up to the sequence `to` count as had and forgotten; those to come have greater ones. For a move: whoever resumes with a number of the old queue is told what it has missed. */
  skipEvents(to: number): Promise<void>;
  /** Stops taking, waits until `deadline` (milliseconds since 1970), hands the rest back without spending an attempt. Twice is harmless. */
  close(options?: { readonly deadline?: number }): Promise<void>;
}

/** A job with what is kept beside it. */
export interface KeptJob {
  readonly job: Job;
  readonly idempotencyKey: string | null;
  /** It has ended, and its end was not acknowledged. */
  readonly owed: boolean;
}

/** How busy a lane is, all machines together. */
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
  /** Renditions of a source are void. */
  | { readonly topic: 'purge'; readonly source: string }
  | { readonly topic: 'quarantine'; readonly fingerprint: string; readonly until: number };
