// Whether this process can do its work, and what is missing if not: for /readyz, and for the primary.

import type { BlobStore, JobQueue } from '../contracts.ts';
import type { VideoEngine } from '../engine-contracts.ts';

export interface Check {
  readonly ok: boolean;
  readonly detail?: string;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly checks: Readonly<Record<'process' | 'queue' | 'store' | 'ffmpeg', Check>>;
}

export type Readiness = () => Promise<ReadinessReport>;

export interface ReadinessOptions {
  readonly queue: Pick<JobQueue, 'counts'>;
  readonly store: Pick<BlobStore, 'free' | 'stat'>;
  readonly videos: Pick<VideoEngine, 'capabilities'>;
  /** Aborted when the process begins to leave. */
  readonly leaving: AbortSignal;
  /** Whether Redis answers, where the queue is there. */
  readonly isReachable?: (() => boolean) | undefined;
  /** The store is reached over the network. */
  readonly isStoreRemote: boolean;
  /** Answers HTTP: without Redis and S3 it still makes images, so it is ready without them. */
  readonly isWeb: boolean;
}

/** What does not answer within so long, in milliseconds, does not answer: whoever asks waits a second or two. */
const PATIENCE_MS = 500;
/** How long it holds that a remote store answered, or did not, in milliseconds: looking costs a request. */
const STORE_FRESH_MS = { ok: 10_000, failed: 5000 };
/** A look at it that takes longer has found that it does not answer, in milliseconds: its calls themselves are patient. */
const STORE_LOOK_MS = 3000;

export function createReadiness(options: ReadinessOptions): Readiness {
  const { queue, store, videos, leaving, isReachable, isStoreRemote, isWeb } = options;
  // HEAD of what is not there: answered with 404 by a store that works.
  const lookAtStore = remembered(() =>
    inTime(
      attempt(() => store.stat('readiness'), 'S3 cannot be reached'),
      STORE_LOOK_MS,
    ),
  );
  const lookAtQueue = async (): Promise<Check> => {
    if (isReachable === undefined) {
      return attempt(() => queue.counts(), 'does not answer; the log says why');
    }
    const failure = 'Redis cannot be reached; the log says why';
    if (!isReachable()) return { ok: false, detail: failure };
    return inTime(attempt(() => queue.counts(), failure));
  };
  return async () => {
    const [ofQueue, ofStore, ofRoom, ofFfmpeg] = await Promise.all([
      lookAtQueue(),
      isStoreRemote ? lookAtStore() : { ok: true },
      // Also before a remote store: what goes there, and what is worked on, takes room here.
      roomIn(store),
      ffmpegOf(videos),
    ]);
    const ofProcess = leaving.aborted ? { ok: false, detail: 'is leaving' } : { ok: true };
    const needed = [
      ofProcess,
      ofFfmpeg,
      ofRoom,
      ...(isWeb && isReachable !== undefined ? [] : [ofQueue]),
      ...(isWeb && isStoreRemote ? [] : [ofStore]),
    ];
    return {
      ready: needed.every(({ ok }) => ok),
      checks: { process: ofProcess, queue: ofQueue, store: ofRoom.ok ? ofStore : ofRoom, ffmpeg: ofFfmpeg },
    };
  };
}

async function attempt(work: () => Promise<unknown>, detail: string): Promise<Check> {
  try {
    await work();
    return { ok: true };
  } catch {
    return { ok: false, detail };
  }
}

async function roomIn(store: Pick<BlobStore, 'free'>): Promise<Check> {
  try {
    return (await store.free()) === 0
      ? { ok: false, detail: 'the disk of this machine is full' }
      : { ok: true };
  } catch {
    return { ok: false, detail: 'cannot be reached; the log says why' };
  }
}

/** A server without FFmpeg still serves images, but it is not what it should be: it is not ready. */
async function ffmpegOf(videos: Pick<VideoEngine, 'capabilities'>): Promise<Check> {
  const { missing } = await videos.capabilities();
  return missing.length === 0 ? { ok: true } : { ok: false, detail: missing.join(' ') };
}

/** One look at a time, and what it found for a while. */
function remembered(look: () => Promise<Check>): () => Promise<Check> {
  let last: { readonly at: number; readonly check: Check } | undefined;
  let looking: Promise<Check> | undefined;
  return () => {
    const freshMs = last?.check.ok === true ? STORE_FRESH_MS.ok : STORE_FRESH_MS.failed;
    if (last !== undefined && performance.now() - last.at < freshMs) return Promise.resolve(last.check);
    looking ??= look()
      .then((check) => {
        last = { at: performance.now(), check };
        return check;
      })
      .finally(() => (looking = undefined));
    return inTime(looking);
  };
}

async function inTime(check: Promise<Check>, ms = PATIENCE_MS): Promise<Check> {
  const { promise: late, resolve } = Promise.withResolvers<Check>();
  const timer = setTimeout(() => resolve({ ok: false, detail: 'does not answer in time' }), ms);
  try {
    return await Promise.race([check, late]);
  } finally {
    clearTimeout(timer);
  }
}
