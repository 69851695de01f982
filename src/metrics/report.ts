// What a process tells of itself when it is asked: everything that it counts, and how things stand right now.

import type { BlobStore, JobQueue } from '../contracts.ts';
import type { ImageEngine } from '../engine-contracts.ts';
import { JOB_STATUSES } from '../jobs/job.ts';
import type { JobStatus } from '../jobs/job.ts';
import { gauge } from './instruments.ts';
import type { Instrument, MetricSnapshot } from './instruments.ts';
import type { ProcessSample } from './machine.ts';
import type { Metrics } from './metrics.ts';

export interface ReportOptions {
  readonly metrics: Metrics;
  readonly queue: Pick<JobQueue, 'counts' | 'lanes'>;
  readonly store: Pick<BlobStore, 'free'>;
  readonly images: Pick<ImageEngine, 'load'>;
  readonly traffic: {
    requestsInFlight(): number;
    eventStreams(): number;
    settleBytes(): void;
  };
  /** Jobs with videos that may run at once on the machine. */
  readonly ffmpegSlots: number;
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
  readonly free: number | null;
}

export function createReport(options: ReportOptions): Report {
  const { metrics, queue, store, images, traffic, ffmpegSlots, runtime } = options;
  return {
    async metrics() {
      traffic.settleBytes();
      const [counts, lanes, free] = await Promise.all([
        queue.counts().catch(() => null),
        queue.lanes().catch(() => null),
        store.free().catch(() => undefined),
      ]);
      const gauges = gaugesOf({ counts, lanes, free: free ?? null }, options);
      const more = (await runtime?.().catch(() => [])) ?? [];
      return [...metrics.snapshots(), ...gauges.map((one) => one.snapshot()), ...more];
    },
    async sample() {
      traffic.settleBytes();
      const { running, waiting, threads } = images.load();
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
        ffmpegSlots,
        rssBytes: process.memoryUsage.rss(),
        lanes: await queue.lanes().catch(() => null),
      };
    },
  };
}

/** Of the queue and the disk every process says the same, so they are not added up. */
function gaugesOf({ counts, lanes, free }: Facts, options: ReportOptions): Instrument[] {
  const { metrics, images, traffic, ffmpegSlots, version, now = Date.now } = options;
  const { running, waiting, threads } = images.load();
  const standing = Object.entries(lanes ?? {});
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
    one('mediamill_ffmpeg_slots', 'Jobs with videos that may run at once', ffmpegSlots, 'max'),
    gauge('mediamill_jobs', 'Stored jobs', ['status'], 'max', () =>
      counts === null ? [] : JOB_STATUSES.map((status) => [counts[status], status] as const),
    ),
    gauge('mediamill_lane_jobs', 'Jobs that wait or run', ['lane', 'state'], 'max', () =>
      standing.flatMap(([lane, of]) => [
        [of.waiting, lane, 'waiting'] as const,
        [of.running, lane, 'running'] as const,
      ]),
    ),
    gauge('mediamill_lane_oldest_waiting_seconds', 'Age of the oldest waiting job', ['lane'], 'max', () =>
      standing.map(([lane, { oldestSince }]) => [
        oldestSince === null ? 0 : Math.max(0, now() - oldestSince) / 1000,
        lane,
      ]),
    ),
    gauge('mediamill_store_free_bytes', 'Bytes that can still be stored', [], 'min', () =>
      free === null ? [] : [[free]],
    ),
    gauge('mediamill_build_info', 'Always 1', ['version', 'node'], 'max', () => [
      [1, version, process.versions.node],
    ]),
  ];
}
