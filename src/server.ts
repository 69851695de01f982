// The composition root: opens queue, store, engines and app in order, closes them in reverse.

import { mkdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createCharge } from './access/accounts.ts';
import { createMeterFetched } from './access/fetched-bytes.ts';
import { createKeys } from './access/keys.ts';
import { assertReach } from './access/reach.ts';
import { createTenants, usualLimits } from './access/tenants.ts';
import { buildApp } from './app.ts';
import type { Config } from './config.ts';
import type { HintBus } from './contracts.ts';
import { createVideoEngine } from './engines/ffmpeg.ts';
import { createImagePool } from './engines/image-pool.ts';
import { withJpegXl } from './engines/jpeg-xl.ts';
import { readFallbackImage } from './jobs/fallback-image.ts';
import { startAftermath } from './jobs/aftermath.ts';
import { withAssets } from './jobs/assets.ts';
import { LANES } from './jobs/job.ts';
import { logged } from './jobs/logged-handler.ts';
import { readPresets } from './jobs/presets.ts';
import { jobHandlers } from './jobs/runner.ts';
import { startSweeper } from './jobs/sweeper.ts';
import { openUploads } from './uploads/open-uploads.ts';
import { drainableHttp } from './lib/drain-http.ts';
import { ownVersion } from './lib/own-version.ts';
import { createSafeDownload } from './lib/safe-download.ts';
import { createSafeFetch } from './lib/safe-fetch.ts';
import type { RemoteRules } from './lib/safe-fetch.ts';
import { createSafePost } from './lib/safe-post.ts';
import type { Logger } from './logger.ts';
import type { MachineView } from './metrics/machine.ts';
import { createMeter } from './metrics/meter.ts';
import { watchOwnMachine } from './metrics/own-machine.ts';
import type { Report } from './metrics/report.ts';
import { openSqliteQueue } from './queues/sqlite.ts';
import { openMeters, openRecords } from './registers/open.ts';
import { openDiskStore } from './stores/disk.ts';
import { openImageCache } from './stores/image-cache.ts';
import { createSourceReader } from './stores/source-reader.ts';
import { startWebhooks } from './webhooks/webhooks.ts';

export interface Server {
  /** E.g. `http://127.0.0.1:3000`. */
  readonly address: string;
  /**
   * Readiness turns, answers say `Connection: close`, no connection is taken any more, requests in flight end, jobs are
   * handed back. Resolves when everything is closed, about at `deadline` (milliseconds since 1970) at the latest.
   */
  close(deadline: number, why?: 'stop' | 'reload' | 'overrun'): Promise<void>;
  /** What this process tells of itself, also after it was closed. */
  readonly report: Report;
}

export interface ServerOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly hints: HintBus;
  /** Unique per process life: marks leases and unfinished files as this process's. */
  readonly owner: string;
  /** An image overran its deadline and cannot be stopped: this process must be replaced. */
  readonly onOverrun: () => void;
  /** The primary's view of the machine, if it answers in time. */
  readonly askPrimary?: () => Promise<MachineView | undefined>;
  /** For tests, which can fetch from this machine only. */
  readonly remote?: Pick<RemoteRules, 'isAddressAllowed' | 'ca'>;
}

/** Where other processes serve on, idle keep-alive connections get so long, in milliseconds, to send one more request and be told `Connection: close`. */
const DRAIN_GRACE_MS = 5000;
const SWEEP_EVERY_MS = 60_000;
const STRAY_AFTER_MS = 3_600_000;

/** Opens everything and listens. Rejects with ConfigError for a wrong presets file, and where others could reach a server without keys. */
export async function startServer({
  config,
  log,
  hints,
  owner,
  onOverrun,
  askPrimary,
  remote,
}: ServerOptions): Promise<Server> {
  await using stack = new AsyncDisposableStack();
  const leaving = new AbortController();
  const presets = await readPresets(config.PRESETS_FILE);
  const fallback = await readFallbackImage(config.FALLBACK_IMAGE);
  await mkdir(config.DATA_DIR, { recursive: true, mode: 0o700 });
  const records = await openRecords(config);
  stack.defer(() => records.close());
  await assertReach(config, createKeys({ records }));
  const meters = await openMeters(config);
  stack.defer(() => meters.close());

  const meter = createMeter();
  const { metrics, traffic } = meter;
  const store = meter.store(await openDiskStore({ root: join(config.DATA_DIR, 'store'), owner }));
  stack.defer(() => store.close());
  const cache = meter.cache(
    await openImageCache({
      root: join(config.DATA_DIR, 'cache'),
      maxBytes: config.CACHE_BYTES,
      processes: config.PROCESSES,
      onError: (error) => log.warn({ err: error }, 'the image cache failed'),
    }),
  );
  stack.defer(() => cache.close());
  const received = openUploads({
    store,
    records,
    hints,
    purge: (source) => cache.purge(source),
    limits: { imageMaxBytes: config.IMAGE_MAX_BYTES, videoMaxBytes: config.VIDEO_MAX_BYTES },
    ttlSeconds: config.UPLOAD_TTL_SECONDS,
    partTtlSeconds: config.UPLOAD_PART_TTL_SECONDS,
    open: { meters, most: config.TENANT_OPEN_UPLOADS },
    onError: (error, uploadId) => log.error({ err: error, uploadId }, 'an upload could not be put together'),
  });
  const { uploads } = received;
  stack.defer(() => received.close());
  const rules = { isAllowed: config.REMOTE_SOURCES ?? (() => false), ...remote };
  const sources = createSourceReader({ store, uploads, fetch: createSafeFetch(rules) });

  const pool = createImagePool({
    threads: config.IMAGE_THREADS,
    queue: config.IMAGE_QUEUE,
    maxPixels: config.IMAGE_MAX_PIXELS,
    maxFrames: config.IMAGE_MAX_FRAMES,
    allowSvg: config.ALLOW_SVG,
    memoryBytes: config.IMAGE_MEMORY_BYTES,
    deadlineSeconds: config.IMAGE_DEADLINE_SECONDS,
    hints,
    onOverrun,
    log,
  });
  stack.defer(() => pool.close());
  const decoding = withJpegXl(pool, {
    ffmpegPath: config.FFMPEG_PATH,
    ffprobePath: config.FFPROBE_PATH,
    maxPixels: config.IMAGE_MAX_PIXELS,
    deadlineSeconds: config.IMAGE_DEADLINE_SECONDS,
    queue: config.IMAGE_QUEUE,
    scratch: (name) => store.scratch(name),
    metrics,
  });
  const images = meter.images(withAssets(decoding, sources, { maxBytes: config.IMAGE_MAX_BYTES }));

  const videos = createVideoEngine({
    ffmpegPath: config.FFMPEG_PATH,
    ffprobePath: config.FFPROBE_PATH,
    maxSeconds: config.VIDEO_MAX_SECONDS,
    maxPixels: config.VIDEO_MAX_PIXELS,
    timeoutSeconds: config.VIDEO_TIMEOUT_SECONDS,
    chunks: config.VIDEO_CHUNKS === 'auto',
    metrics,
    log,
  });
  stack.defer(() => videos.close());
  // What this FFmpeg can do is asked while the process starts, so that the first job need not.
  await videos.capabilities();

  const queue = await openSqliteQueue({
    path: join(config.DATA_DIR, 'mediamill.sqlite'),
    owner,
    policy: { maxAttempts: config.JOB_ATTEMPTS, ttlSeconds: config.JOB_TTL_SECONDS },
    leaseSeconds: config.JOB_LEASE_SECONDS,
    maxWaiting: config.JOB_QUEUE,
    leaving: leaving.signal,
    hints,
    log,
  });
  let deadline = Date.now() + config.SHUTDOWN_SECONDS * 1000;
  stack.defer(() => queue.close({ deadline }));

  stack.defer(
    hints.subscribe((hint) => {
      if (hint.topic !== 'abandoned') return;
      Promise.all([queue.abandon(hint.owner), store.tidy(hint.owner)]).catch((error: unknown) =>
        log.error({ err: error }, 'clearing up after a dead process failed'),
      );
    }),
  );
  const version = await ownVersion();
  const webhooks = startWebhooks({
    records,
    hints,
    post: createSafePost({ isOwn: config.WEBHOOK_HOSTS, ...remote }),
    owner,
    secrets: config.WEBHOOK_SECRETS ?? [],
    version,
    log,
    onAttempt: (outcome) => metrics.deliveries.add(1, outcome),
    leaving: leaving.signal,
  });
  stack.defer(() => webhooks.close(deadline));
  const aftermath = startAftermath({
    queue,
    records,
    tell: (job) => webhooks.deliveries.owe(job),
    charge: createCharge({ meters }),
    onError: (error) => log.error({ err: error }, 'what is owed for an ended job could not be done'),
  });
  stack.defer(() => aftermath.close());
  const sweeper = startSweeper({
    queue,
    store,
    aftermath,
    uploads,
    records,
    everyMs: SWEEP_EVERY_MS,
    strayAfterMs: STRAY_AFTER_MS,
    onError: (error) => log.error({ err: error }, 'sweeping failed'),
  });
  stack.defer(() => sweeper.close());

  const handlers = jobHandlers({
    store,
    images,
    videos,
    uploads,
    filmSeconds: config.FILM_SECONDS,
    download: createSafeDownload(rules),
    meterFetched: createMeterFetched({
      meters,
      limitsOf: createTenants({ records, defaults: usualLimits(config) }).limitsOf,
    }),
    limits: { imageMaxBytes: config.IMAGE_MAX_BYTES, videoMaxBytes: config.VIDEO_MAX_BYTES },
  });
  const concurrency = {
    image: config.PROCESSES * config.IMAGE_THREADS,
    video: config.VIDEO_SLOTS,
    film: config.FILM_SLOTS,
    fetch: config.FETCH_SLOTS,
  };
  for (const lane of LANES) {
    const handler = meter.handler(aftermath.after(logged(handlers[lane], log)), lane);
    queue.work(lane, handler, { concurrency: concurrency[lane] });
  }

  const ffmpegSlots = config.VIDEO_SLOTS + config.FILM_SLOTS;
  const scraped = config.ADMIN_PORT !== undefined;
  const report = await meter.report({ queue, store, images, ffmpegSlots, version }, scraped);
  const machine = watchOwnMachine(report, log, askPrimary);
  stack.defer(() => machine.close());
  const app = await buildApp({
    config,
    log,
    queue,
    records,
    meters,
    store,
    images,
    videos,
    sources,
    uploads,
    received,
    cache,
    presets,
    fallback,
    version,
    webhooks,
    aftermath,
    traffic,
    machine: () => machine.view(),
    leaving: leaving.signal,
  });
  stack.defer(() => app.close());
  const drainHttp = drainableHttp(app.server);
  let graceMs = 0;
  // For "localhost" Fastify would open a second server on ::1 that nobody drains.
  const host = config.HOST === 'localhost' ? '127.0.0.1' : config.HOST;
  await app.listen({ host, port: config.PORT });
  stack.defer(() => drainHttp({ deadline, graceMs }));

  const open = stack.move();
  return {
    address: addressOf(host, app.server.address() as AddressInfo),
    report,
    close(until, why = 'stop') {
      deadline = until;
      graceMs = why === 'stop' ? 0 : DRAIN_GRACE_MS;
      leaving.abort();
      return open.disposeAsync();
    },
  };
}

function addressOf(host: string, { port }: AddressInfo): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
