// A job: one source, one recipe, and what became of it. `advance` is the only place where it changes state.

import { Problem } from '../problems.ts';
import type { ProblemDocument } from '../problems.ts';
import type { LiveOutput, OutputResult } from './output-result.ts';
import type { Recipe } from './recipe.ts';

export type { LiveOutput, OutputFile, OutputResult } from './output-result.ts';

export const JOB_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/**
 * Jobs wait in lanes, so that images do not wait behind videos, nor short videos behind films. Every video job begins in
 * `video`; one that turns out to be long is moved to `film`. A job whose source is a URL begins in `fetch`, and is moved
 * to where it belongs as soon as its bytes are here.
 */
export const LANES = ['image', 'video', 'film', 'fetch'] as const;
export type Lane = (typeof LANES)[number];

export interface JobSource {
  /** Where its bytes are in the store. */
  readonly key: string;
  /** The client's name for it, cleaned; for people only. */
  readonly name: string | null;
  /** Where they are fetched from; it may hold secrets, so people are shown no more than its origin and path. */
  readonly url?: string;
  /** As sniffed from the bytes; null until they are here. */
  readonly mediaType: string | null;
  /** Null until they are here. */
  readonly bytes: number | null;
  /** Pixels as shown, after rotation. */
  readonly width: number | null;
  readonly height: number | null;
  readonly durationSeconds: number | null;
}

/** Whom to tell when a job has ended, beside the tenant's own endpoints. */
export interface JobWebhook {
  /** https. */
  readonly url: string;
}

export interface Job {
  readonly id: string;
  /** Whose it is. Nobody else may see it. */
  readonly tenant: string;
  readonly lane: Lane;
  readonly status: JobStatus;
  /** Grows with every change that a watcher would want to see. */
  readonly revision: number;
  readonly phase: 'waiting' | 'fetching' | 'processing' | 'done';
  /** 0–1, never backwards within an attempt; 1 only once published. */
  readonly progress: number;
  /** Media seconds per wall second, once known. */
  readonly speed: number | null;
  readonly etaSeconds: number | null;
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly expiresAt: number | null;
  /** Counted before the work: 1 while the first one runs. */
  readonly attempt: number;
  /** Higher goes first. */
  readonly priority: number;
  readonly source: JobSource;
  readonly recipe: Recipe;
  readonly metadata: Readonly<Record<string, string>>;
  readonly webhook: JobWebhook | null;
  /** W3C `traceparent` of the request that made it. */
  readonly trace: string | null;
  /** Outputs of the running attempt that are finished, before the job is: published, but gone if the attempt fails. */
  readonly ready?: Readonly<Record<string, OutputResult>>;
  /** Of the running attempt. */
  readonly live?: Readonly<Record<string, LiveOutput>>;
  /** Present once published. */
  readonly results: Readonly<Record<string, OutputResult>>;
  readonly problem: ProblemDocument | null;
  readonly warnings: readonly string[];
  readonly cancelRequested: boolean;
  /** How often it was set back, and since when. */
  readonly setbacks?: { readonly times: number; readonly since: number };
}

export interface NewJob {
  readonly id: string;
  readonly tenant: string;
  readonly lane: Lane;
  readonly source: JobSource;
  readonly recipe: Recipe;
  readonly priority?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly webhook?: JobWebhook;
  readonly trace?: string;
  /** Unique among all jobs that are kept: whoever makes it up puts the tenant into it. */
  readonly idempotencyKey?: string;
}

/** Where everything belongs that nobody has named a tenant for. */
export const DEFAULT_TENANT = 'default';

export interface ProgressUpdate {
  readonly progress?: number;
  readonly speed?: number | null;
  readonly etaSeconds?: number | null;
  /** Outputs that can be watched from now on. */
  readonly live?: Readonly<Record<string, LiveOutput>>;
  /** Outputs that are finished from now on. */
  readonly ready?: Readonly<Record<string, OutputResult>>;
  readonly source?: Partial<
    Pick<JobSource, 'key' | 'name' | 'mediaType' | 'bytes' | 'width' | 'height' | 'durationSeconds'>
  >;
}

/** Milliseconds for which a job may be set back again and again. After that what stands in its way is its failure. */
const SET_BACK_FOR = 86_400_000;

/** How many attempts a job gets, and how long it is kept when it ended. */
export interface JobPolicy {
  readonly maxAttempts: number;
  readonly ttlSeconds: number;
}

export type JobAction =
  | { readonly type: 'start' }
  | { readonly type: 'progress'; readonly update: ProgressUpdate }
  | { readonly type: 'succeed'; readonly results: Job['results']; readonly warnings: readonly string[] }
  | { readonly type: 'fail'; readonly problem: ProblemDocument; readonly retry: boolean }
  /** The owner died or its lease ran out: the attempt is spent. */
  | { readonly type: 'interrupt' }
  /** Nothing could be done for it, through no fault of its own: it waits again, and the attempt is not spent. */
  | { readonly type: 'set_back'; readonly problem: ProblemDocument; readonly retry: boolean }
  /** The owner gives it back on purpose (drain): the attempt is not spent. */
  | { readonly type: 'hand_back' }
  /** The owner gives it back into another lane, where it belongs: the attempt is not spent. */
  | { readonly type: 'move'; readonly lane: Lane }
  | { readonly type: 'cancel' }
  /** The owner has stopped the work of a job that was asked to be cancelled. */
  | { readonly type: 'cancelled' };

export function newJob(job: NewJob, now: number): Job {
  return {
    id: job.id,
    tenant: job.tenant,
    lane: job.lane,
    status: 'queued',
    revision: 1,
    phase: 'waiting',
    progress: 0,
    speed: null,
    etaSeconds: null,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    expiresAt: null,
    attempt: 0,
    priority: job.priority ?? 0,
    source: job.source,
    recipe: job.recipe,
    metadata: job.metadata ?? {},
    webhook: job.webhook ?? null,
    trace: job.trace ?? null,
    live: {},
    ready: {},
    results: {},
    problem: null,
    warnings: [],
    cancelRequested: false,
  };
}

export function isFinished(job: Pick<Job, 'status'>): boolean {
  return job.status === 'succeeded' || job.status === 'failed' || job.status === 'cancelled';
}

/**
 * The job after an action, or the same object where the action means nothing in its state (a second
 * cancel, progress after the end): callers compare by identity and write only what changed.
 */
export function advance(job: Job, action: JobAction, now: number, policy: JobPolicy): Job {
  if (isFinished(job)) return job;
  const next = step(job, action, now, policy);
  return next === job ? job : { ...next, revision: job.revision + 1 };
}

function step(job: Job, action: JobAction, now: number, policy: JobPolicy): Job {
  if (action.type === 'cancel') {
    if (job.status === 'queued') return finish(job, 'cancelled', now, policy);
    return job.cancelRequested ? job : { ...job, cancelRequested: true };
  }
  if (action.type === 'start') {
    if (job.status !== 'queued') return job;
    return {
      ...job,
      status: 'running',
      phase: job.lane === 'fetch' ? 'fetching' : 'processing',
      attempt: job.attempt + 1,
      startedAt: now,
      progress: 0,
      speed: null,
      etaSeconds: null,
    };
  }
  if (job.status !== 'running') return job;
  switch (action.type) {
    case 'progress':
      return applyProgress(job, action.update);
    case 'succeed':
      // A cancel that was answered 202 holds, even if the work ended in the same moment.
      if (job.cancelRequested) return finish(job, 'cancelled', now, policy);
      return {
        ...finish(job, 'succeeded', now, policy),
        progress: 1,
        results: action.results,
        warnings: action.warnings,
      };
    case 'fail':
      return afterFailure(job, action, now, policy);
    case 'set_back': {
      const { times, since } = job.setbacks ?? { times: 0, since: now };
      if (job.cancelRequested || now - since >= SET_BACK_FOR) return afterFailure(job, action, now, policy);
      return { ...requeue(job), attempt: job.attempt - 1, setbacks: { times: times + 1, since } };
    }
    case 'interrupt':
      if (job.cancelRequested) return finish(job, 'cancelled', now, policy);
      if (job.attempt < policy.maxAttempts) return requeue(job);
      return { ...finish(job, 'failed', now, policy), problem: exhausted(policy.maxAttempts) };
    case 'hand_back':
    case 'move':
      if (job.cancelRequested) return finish(job, 'cancelled', now, policy);
      return {
        ...requeue(job),
        attempt: job.attempt - 1,
        lane: action.type === 'move' ? action.lane : job.lane,
      };
    case 'cancelled':
      return finish(job, 'cancelled', now, policy);
  }
}

function afterFailure(
  job: Job,
  { problem, retry }: { readonly problem: ProblemDocument; readonly retry: boolean },
  now: number,
  policy: JobPolicy,
): Job {
  if (job.cancelRequested) return finish(job, 'cancelled', now, policy);
  if (retry && job.attempt < policy.maxAttempts) return requeue(job);
  return { ...finish(job, 'failed', now, policy), problem };
}

function applyProgress(job: Job, update: ProgressUpdate): Job {
  // An encoder that knows no duration may tell NaN, which would stick.
  const told = Number.isFinite(update.progress) ? (update.progress ?? 0) : 0;
  const progress = Math.max(job.progress, Math.min(told, 0.999));
  return {
    ...job,
    progress,
    speed: update.speed === undefined ? job.speed : update.speed,
    etaSeconds: update.etaSeconds === undefined ? job.etaSeconds : update.etaSeconds,
    live: { ...job.live, ...update.live },
    ready: { ...job.ready, ...update.ready },
    source: update.source === undefined ? job.source : { ...job.source, ...update.source },
  };
}

function requeue(job: Job): Job {
  return {
    ...job,
    status: 'queued',
    phase: 'waiting',
    progress: 0,
    speed: null,
    etaSeconds: null,
    live: {},
    ready: {},
  };
}

function finish(job: Job, status: JobStatus, now: number, policy: JobPolicy): Job {
  return {
    ...job,
    status,
    phase: 'done',
    speed: null,
    etaSeconds: null,
    live: {},
    ready: {},
    finishedAt: now,
    expiresAt: now + policy.ttlSeconds * 1000,
  };
}

function exhausted(attempts: number): ProblemDocument {
  return new Problem(
    'attempts_exhausted',
    `The process that worked on this job died ${attempts} times. The source may be what kills it; check it and send it again.`,
  ).toDocument();
}
