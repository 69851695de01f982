// All that a process counts, by name. Whoever counts is given this; nobody else's library is needed for it.

import { LANES } from '../jobs/job.ts';
import { counter, histogram } from './instruments.ts';
import type { Instrument, MetricSnapshot } from './instruments.ts';
import { addLatency, noLatencies } from './latencies.ts';

/** Seconds. */
const ROUND_TRIP_SECONDS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1];
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const IMAGE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const JOB_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400];

const OUTCOMES = ['succeeded', 'failed', 'timeout', 'stopped', 'killed', 'missing'] as const;
/** How an FFmpeg or ffprobe ended. `killed`: by the system, for want of memory say. */
export type FfmpegOutcome = (typeof OUTCOMES)[number];
const ENDS = ['succeeded', 'failed', 'cancelled'] as const;
/** How the delivery of a webhook went. `abandoned`: given up for good. */
export type DeliveryOutcome = 'delivered' | 'retried' | 'abandoned';

/** Routes that whole videos are sent to. */
const UPLOADS: ReadonlySet<string> = new Set(['/v1/uploads', '/v1/uploads/:id', '/v1/jobs', '/v1/videos']);

export type Metrics = ReturnType<typeof createMetrics>;

/** One for each process. */
export function createMetrics() {
  const latencies = noLatencies();
  const instruments = {
    requests: counter(
      'mediamill_http_requests_total',
      'Answered requests; status is "aborted" where the client left first',
      ['method', 'route', 'status'],
    ),
    requestSeconds: histogram(
      'mediamill_http_request_duration_seconds',
      'From the request to the end of its answer; without those that asked to wait, and event streams',
      ['method', 'route'],
      REQUEST_SECONDS,
    ),
    receivedBytes: counter(
      'mediamill_http_received_bytes_total',
      'Bytes that clients sent, headers included',
      [],
    ),
    sentBytes: counter(
      'mediamill_http_sent_bytes_total',
      'Bytes that clients were sent, headers included',
      [],
    ),
    malformed: counter(
      'mediamill_http_malformed_requests_total',
      'Requests that were no HTTP, or came too slowly',
      [],
    ),
    problems: counter('mediamill_problems_total', 'Problems that were answered, by their code', ['code']),

    imageWaitSeconds: histogram(
      'mediamill_image_wait_seconds',
      'Until an image had a thread',
      [],
      IMAGE_SECONDS,
    ),
    imageSeconds: histogram(
      'mediamill_image_processing_seconds',
      'In a thread; "set" where several renditions were made at once',
      ['format'],
      IMAGE_SECONDS,
    ),
    images: counter(
      'mediamill_images_total',
      'Images worked on, by outcome',
      ['outcome'],
      [['succeeded'], ['failed']],
    ),
    imagePixels: counter(
      'mediamill_image_pixels_total',
      'Pixels of sources (in) and of renditions (out)',
      ['direction'],
      [['in'], ['out']],
    ),

    jobWaitSeconds: histogram(
      'mediamill_job_wait_seconds',
      'From the acceptance of a job to its first attempt',
      ['lane'],
      JOB_SECONDS,
    ),
    jobRunSeconds: histogram(
      'mediamill_job_run_seconds',
      'Of an attempt; "moved" into another lane, "stopped" by a cancel or a drain',
      ['lane', 'outcome'],
      JOB_SECONDS,
    ),
    jobRetries: counter(
      'mediamill_job_retries_total',
      'Attempts after the first',
      ['lane'],
      LANES.map((lane) => [lane] as const),
    ),
    jobsEnded: counter(
      'mediamill_jobs_ended_total',
      'Jobs that ended for good',
      ['lane', 'outcome'],
      LANES.flatMap((lane) => ENDS.map((end) => [lane, end] as const)),
    ),
    jobsFailed: counter('mediamill_jobs_failed_total', 'Jobs that failed, by the code of their problem', [
      'lane',
      'code',
    ]),

    ffmpegRuns: counter(
      'mediamill_ffmpeg_runs_total',
      'Ended runs of ffmpeg and ffprobe',
      ['tool', 'outcome'],
      (['ffmpeg', 'ffprobe'] as const).flatMap((tool) => OUTCOMES.map((outcome) => [tool, outcome] as const)),
    ),
    ffmpegSeconds: histogram(
      'mediamill_ffmpeg_run_seconds',
      'Of a run of ffmpeg or ffprobe',
      ['tool'],
      JOB_SECONDS,
    ),
    mediaSeconds: counter('mediamill_ffmpeg_media_seconds_total', 'Seconds of media that FFmpeg wrote', []),

    cacheLookups: counter(
      'mediamill_cache_lookups_total',
      'Renditions by address: fresh, stale or missing in the cache',
      ['result'],
      [['hit'], ['stale'], ['miss']],
    ),
    cacheBytes: counter(
      'mediamill_cache_bytes_total',
      'Bytes of renditions that were read from the cache, or made for it',
      ['from'],
      [['cache'], ['work']],
    ),
    redisSeconds: histogram(
      'mediamill_redis_round_trip_seconds',
      'From a question to Redis to its answer, asked every two seconds (QUEUE=bullmq)',
      [],
      ROUND_TRIP_SECONDS,
    ),
    storedBytes: counter(
      'mediamill_stored_bytes_total',
      'Bytes put into the store',
      ['kind'],
      [['sources'], ['results'], ['uploads']],
    ),
    deliveries: counter(
      'mediamill_webhook_deliveries_total',
      'Attempts to deliver a webhook',
      ['outcome'],
      [['delivered'], ['retried'], ['abandoned']],
    ),
  } as const satisfies Record<string, Instrument>;

  let ffmpegRunning = 0;
  return {
    ...instruments,
    /** Of the answers that `requestSeconds` counts but for uploads, for percentiles. */
    latencies,
    /** What counts the durations of a route's answers, in milliseconds. */
    durations(method: string, route: string): (milliseconds: number) => void {
      const observe = instruments.requestSeconds.of(method, route);
      // How long a client takes to send its file says nothing of us.
      const isUpload = (method === 'POST' || method === 'PATCH') && UPLOADS.has(route);
      return (milliseconds) => {
        observe(milliseconds / 1000);
        if (!isUpload) addLatency(latencies, milliseconds);
      };
    },
    /** FFmpegs and ffprobes that run now. */
    ffmpegRunning: () => ffmpegRunning,
    /** A run begins. Call what it returns at its end. */
    ffmpegBegins(tool: 'ffmpeg' | 'ffprobe'): (outcome: FfmpegOutcome) => void {
      const begunAt = performance.now();
      ffmpegRunning++;
      return (outcome) => {
        ffmpegRunning--;
        instruments.ffmpegRuns.add(1, tool, outcome);
        instruments.ffmpegSeconds.observe((performance.now() - begunAt) / 1000, tool);
      };
    },
    snapshots: (): MetricSnapshot[] => Object.values(instruments).map((instrument) => instrument.snapshot()),
  };
}
