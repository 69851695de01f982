// What a process tells of itself when it is asked: everything that it counts, and how things stand right now.

import type { BlobStore, JobQueue, LaneStanding } from '../contracts.ts';
import type { ImageEngine } from '../engine-contracts.ts';
import { JOB_STATUSES } from '../jobs/job.ts';
import type { JobStatus, Lane } from '../jobs/job.ts';
import { gauge } from './instruments.ts';
import type { Instrument, MetricSnapshot } from './instruments.ts';
import type { ProcessSample } from './machine.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';

export interface ReportOptions {
  readonly metrics: Metrics;
  readonly queue: Pick<JobQueue, 'counts' | 'lanes' | 'parts'>;
  readonly store: Pick<BlobStore, 'free'>;
  readonly images: Pick<ImageEngine, 'load'>;
  readonly traffic: {
    requestsInFlight(): number;
    eventStreams(): number;
    settleBytes(): void;
  };
  /** Jobs of each lane that may run at once on the machine, and parts of films. */
  readonly slots: Readonly<Record<Lane | 'chunk', number>>;
  readonly readiness: Readiness;
  /** Whether Redis answers, where there is one. */
  readonly isReachable?: (() => boolean) | undefined;
  readonly version: string;
  /** Of the runtime: memory, event loop, garbage. */
  readonly runtime?: () => Promise<readonly MetricSnapshot[]>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** All kinds of questions that a process is asked. */
export interface Report {
  /** Never rejects: what cannot be read is left out. */
  metrics(): Promise<readonly MetricSnapshot[]>;
  sample(): Promise<ProcessSample>;
}

interface Facts {
  readonly counts: Readonly<Record<JobStatus, number>> | null;
  readonly lanes: ProcessSample['lanes'];
  readonly parts: LaneStanding | null;
  readonly free: number | null;
}

/** Milliseconds. */
const PATIENCE_MS = 500;

export function createReport(options: ReportOptions): Report {
  const { metrics, queue, store, images, traffic, slots, readiness, runtime } = options;
  return {
    async metrics() {
      traffic.settleBytes();
      const [counts, lanes, parts, free] = await Promise.all([
        inTime(queue.counts()),
        inTime(queue.lanes()),
        inTime(queue.parts?.() ?? Promise.resolve(null)),
        inTime(store.free()),
      ]);
      const gauges = gaugesOf({ counts, lanes, parts, free: free ?? null }, options);
      const more = (await runtime?.().catch(() => [])) ?? [];
      return [...metrics.snapshots(), ...gauges.map((one) => one.snapshot()), ...more];
    },
    async sample() {
      traffic.settleBytes();
      const { running, waiting, threads } = images.load();
      const [lanes, { ready, checks }] = await Promise.all([inTime(queue.lanes()), readiness()]);
      return {
        requests: metrics.requests.total(),
        latencies: [...metrics.latencies],
        images: metrics.images.total(),
        bytesIn: metrics.receivedBytes.total(),
        bytesOut: metrics.sentBytes.total(),
        threads,
        threadsBusy: running,
        imagesWaiting: waiting,
        ffmpegRunning: metrics.ffmpegRunning(),
        ffmpegSlots: ffmpegSlotsOf(slots),
        rssBytes: process.memoryUsage.rss(),
        ready,
        lacking: Object.fromEntries(
          Object.entries(checks).flatMap(([name, { ok, detail = '' }]) => (ok ? [] : [[name, detail]])),
        ),
        lanes,
      };
    },
  };
}

/** Who asks waits a second, and calls a process silent that does not answer: what Redis does not say in time is left out. */
async function inTime<T>(answer: Promise<T>): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), PATIENCE_MS);
  try {
    return await Promise.race([answer.catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}

function ffmpegSlotsOf({ video, film }: ReportOptions['slots']): number {
  return video + film;
}

/**
 * Of the queue and the disk every process says the same, so they are not added up. In a fleet every machine says the same of
 * the queue, too: whoever adds up machines takes the greatest. Slots are each machine's own.
 */
function gaugesOf({ counts, lanes, parts, free }: Facts, options: ReportOptions): Instrument[] {
  const { metrics, images, traffic, slots, version, isReachable, now = Date.now } = options;
  const { running, waiting, threads } = images.load();
  const standing: [string, LaneStanding][] = Object.entries(lanes ?? {});
  if (parts !== null) standing.push(['chunk', parts]);
  const one = (
    name: string,
    help: string,
    value: number,
    aggregator: MetricSnapshot['aggregator'] = 'sum',
  ): Instrument => gauge(name, help, [], aggregator, () => [[value]]);
  return [
    one(
      'mediamill_http_requests_in_flight',
      'Requests without a whole answer yet',
      traffic.requestsInFlight(),
    ),
    one('mediamill_event_streams_open', 'Event streams that are followed', traffic.eventStreams()),
    one('mediamill_image_threads', 'Image threads', threads),
    one('mediamill_image_threads_busy', 'Image threads that work', running),
    one('mediamill_images_waiting', 'Images that wait for a thread', waiting),
    one('mediamill_ffmpeg_processes', 'FFmpegs and ffprobes that run', metrics.ffmpegRunning()),
    one('mediamill_ffmpeg_slots', 'Jobs with videos that may run at once', ffmpegSlotsOf(slots), 'max'),
    gauge(
      'mediamill_jobs',
      'Stored jobs; in a fleet those of all machines, told by each: take the max, not the sum',
      ['status'],
      'max',
      () => (counts === null ? [] : JOB_STATUSES.map((status) => [counts[status], status] as const)),
    ),
    gauge(
      'mediamill_lane_jobs',
      'Jobs that wait or run; in a fleet those of all machines, told by each: take the max, not the sum',
      ['lane', 'state'],
      'max',
      () =>
        standing.flatMap(([lane, of]) => [
          [of.waiting, lane, 'waiting'] as const,
          [of.running, lane, 'running'] as const,
        ]),
    ),
    gauge(
      'mediamill_lane_oldest_waiting_seconds',
      'Age of the oldest waiting job; in a fleet of all machines, told by each: take the max',
      ['lane'],
      'max',
      () =>
        standing.map(([lane, { oldestSince }]) => [
          oldestSince === null ? 0 : Math.max(0, now() - oldestSince) / 1000,
          lane,
        ]),
    ),
    gauge(
      'mediamill_lane_slots',
      'Jobs that this machine runs at once, in the lane chunk parts of films; in a fleet add them up',
      ['lane'],
      'max',
      () => Object.entries(slots).map(([lane, count]) => [count, lane] as const),
    ),
    gauge('mediamill_redis_up', 'Whether Redis answers; 0 if one process does not reach it', [], 'min', () =>
      isReachable === undefined ? [] : [[isReachable() ? 1 : 0]],
    ),
    gauge('mediamill_store_free_bytes', 'Bytes that can still be stored', [], 'min', () =>
      free === null ? [] : [[free]],
    ),
    gauge('mediamill_build_info', 'Always 1', ['version', 'node'], 'max', () => [
      [1, version, process.versions.node],
    ]),
  ];
}
