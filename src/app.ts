// buildApp: Fastify with its plugins and routes. No I/O of its own; everything it needs is passed in.

import { fastify, LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { createAccess } from './access/access.ts';
import { lenientMeters, recallingRecords } from './access/away.ts';
import type { Config } from './config.ts';
import type { BlobStore, JobQueue, Meters, Records } from './contracts.ts';
import type { ImageEngine, SourceReader, VideoEngine } from './engine-contracts.ts';
import type { Aftermath } from './jobs/aftermath.ts';
import type { ImageCache } from './jobs/image-cache.ts';
import type { FallbackImage } from './jobs/fallback-image.ts';
import type { Presets } from './jobs/presets.ts';
import type { OpenUploads } from './uploads/open-uploads.ts';
import type { Uploads } from './uploads/uploads.ts';
import { idempotentCalls } from './idempotency/calls.ts';
import { checkRemote } from './lib/safe-fetch.ts';
import { withoutSignature } from './lib/signed-url.ts';
import { parseTraceParent } from './lib/trace-context.ts';
import type { MachineView } from './metrics/machine.ts';
import type { Readiness } from './metrics/readiness.ts';
import type { Traffic } from './metrics/traffic.ts';
import type { Logger } from './logger.ts';
import { auth } from './plugins/auth.ts';
import { cors } from './plugins/cors.ts';
import { idempotency } from './plugins/idempotency.ts';
import { limits } from './plugins/limits.ts';
import { httpMetrics } from './plugins/metrics.ts';
import { openapi } from './plugins/openapi.ts';
import { onClientError, onFrameworkError, problemHandler } from './plugins/problem-handler.ts';
import { consoleFiles } from './routes/console-files.ts';
import { consoleRoutes } from './routes/console.ts';
import { eventRoutes } from './routes/events.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { healthRoutes } from './routes/health.ts';
import { imageInfoRoutes } from './routes/image-info.ts';
import { imageIntake } from './routes/image-intake.ts';
import { imageSetRoutes } from './routes/image-set.ts';
import { imageRoutes } from './routes/images.ts';
import { jobRoutes } from './routes/jobs.ts';
import { machineRoutes } from './routes/machine.ts';
import { operationRoutes } from './routes/operations.ts';
import { referenceRoutes } from './routes/reference.ts';
import { resultRoutes } from './routes/results.ts';
import { sessionRoutes } from './routes/session.ts';
import { signedImageRoutes } from './routes/signed-images.ts';
import { streamSlots } from './routes/stream-slots.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { videoRoutes } from './routes/videos.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { assertJobWebhook } from './webhooks/receiver-url.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

export interface AppDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly queue: JobQueue;
  readonly records: Records;
  readonly meters: Meters;
  readonly store: BlobStore;
  readonly images: ImageEngine;
  readonly videos: VideoEngine;
  readonly sources: SourceReader;
  readonly uploads: Uploads;
  readonly received: Pick<OpenUploads, 'receiver' | 'concatenate' | 'settle'>;
  readonly cache: ImageCache;
  readonly presets: Presets;
  readonly fallback: FallbackImage | undefined;
  readonly version: string;
  readonly traffic: Traffic;
  readonly machine: () => Promise<MachineView>;
  readonly readiness: Readiness;
  /** Whether Redis answered when it was asked last; undefined where there is none. */
  readonly isReachable?: (() => boolean) | undefined;
  readonly webhooks: Webhooks;
  readonly aftermath: Aftermath;
  /** Aborted when the process begins to leave: readiness turns, long polls end. */
  readonly leaving: AbortSignal;
}

/** Idle time of a connection in milliseconds before it is closed: longer than the longest long poll. */
const IDLE_CONNECTION_MS = 120_000;

/** A client of a streamed video, or of events, that takes nothing of it for so long, in milliseconds, is given up. */
const STALL_MS = 60_000;

/** Milliseconds after which a stream of events that are not there says that it is still open: before proxies and STALL_MS doubt it. */
const HEARTBEAT_MS = 15_000;

export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { config, queue, store, images, videos, presets, version, leaving } = deps;
  const loggerInstance: FastifyBaseLogger = deps.log;
  const app = fastify({
    loggerInstance,
    // One line a request is written below, with what matters; two more would cost a poll a third of its time.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIds(),
    trustProxy: config.TRUST_PROXY,
    bodyLimit: 1024 * 1024,
    connectionTimeout: IDLE_CONNECTION_MS,
    keepAliveTimeout: 72_000, // longer than the 60 s of common proxies, so that they close first
    // Whole requests are bounded by their rate instead (plugins/media-body.ts): legal uploads may last for hours.
    requestTimeout: 0,
    http: { headersTimeout: 15_000, maxHeaderSize: 16 * 1024 },
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
    exposeHeadRoutes: true,
    // Whoever is still there when drained connections had their time is cut off.
    forceCloseConnections: true,
    frameworkErrors: onFrameworkError,
    clientErrorHandler: onClientError,
  });
  app.setValidatorCompiler(validatorCompiler);
  // Answers are built by typed functions; checking each again at run time would cost a poll more than reading the job.
  app.setSerializerCompiler(() => JSON.stringify);

  await app.register(httpMetrics, { traffic: deps.traffic });
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
    if (leaving.aborted) void reply.header('connection', 'close');
    // Asked first whether there is one: a poll without must not cost more.
    const { traceparent } = request.headers;
    const trace = traceparent === undefined ? undefined : parseTraceParent(traceparent);
    if (trace !== undefined) request.log = reply.log = request.log.child({ traceId: trace.traceId });
  });
  // Not even asked about where nobody reads it: a 304 or a poll would feel it.
  if (deps.log.isLevelEnabled('debug')) {
    app.addHook('onResponse', async (request, reply) => {
      request.log.debug(
        {
          method: request.method,
          url: withoutSignature(request.url).slice(0, 500),
          status: reply.statusCode,
          ms: Math.round(reply.elapsedTime),
        },
        'answered',
      );
    });
  }

  await app.register(problemHandler);
  const { isReachable } = deps;
  const access = createAccess({
    records: isReachable ? recallingRecords(deps.records, { isReachable }) : deps.records,
    config,
    onError: (error) => deps.log.warn({ err: error }, 'the last use of a key could not be noted'),
  });
  await app.register(cors, { allowOrigin: config.ALLOW_ORIGIN });
  await app.register(auth, access);
  const meters = isReachable ? lenientMeters(deps.meters, { isReachable }) : deps.meters;
  await app.register(limits, { meters, queue, now: deps.records.now });
  await app.register(idempotency, {
    calls: idempotentCalls({
      records: deps.records,
      keepSeconds: config.IDEMPOTENCY_SECONDS,
      leaseSeconds: config.JOB_LEASE_SECONDS,
    }),
    beatMs: (config.JOB_LEASE_SECONDS * 1000) / 3,
  });
  await app.register(openapi, { version });

  const body = { minBytesPerSecond: config.MIN_UPLOAD_RATE, windowSeconds: config.REQUEST_TIMEOUT_SECONDS };
  // An image is held in memory and keeps a place in the queue while it arrives: it gets ten minutes, not hours.
  const imageBody = {
    ...body,
    minBytesPerSecond: Math.max(body.minBytesPerSecond, Math.ceil(config.IMAGE_MAX_BYTES / 600)),
  };
  const jobs = {
    queue,
    store,
    videos,
    uploads: deps.uploads,
    checkWebhook: (url: string) => void assertJobWebhook(url, config),
    checkRemote: (url: string) => checkRemote(url, { isAllowed: config.REMOTE_SOURCES ?? (() => false) }),
    limits: {
      imageMaxBytes: config.IMAGE_MAX_BYTES,
      videoMaxBytes: config.VIDEO_MAX_BYTES,
      maxWaiting: config.JOB_QUEUE,
    },
  };
  const intake = imageIntake({
    images,
    maxBytes: config.IMAGE_MAX_BYTES,
    maxWaiting: config.IMAGE_QUEUE,
  });
  await app.register(imageRoutes, { images, jobs, body: imageBody, intake });
  await app.register(imageInfoRoutes, { images, sources: deps.sources, body: imageBody, intake });
  await app.register(imageSetRoutes, { images, jobs, body: imageBody, intake });
  await app.register(signedImageRoutes, {
    images,
    sources: deps.sources,
    cache: deps.cache,
    uploads: deps.uploads,
    presets,
    fallback: deps.fallback,
    version,
    keys: config.URL_KEYS ?? [],
    allowUnsigned: config.URL_UNSIGNED,
    presetsOnly: config.URL_PRESETS_ONLY,
    maxBytes: config.IMAGE_MAX_BYTES,
    maxWaiting: config.IMAGE_QUEUE + config.IMAGE_THREADS,
    maxAgeSeconds: config.CACHE_MAX_AGE_SECONDS,
    staleSeconds: config.CACHE_STALE_SECONDS,
  });
  await app.register(uploadRoutes, {
    store,
    uploads: deps.uploads,
    ...deps.received,
    body,
    limits: jobs.limits,
  });
  const streams = {
    store,
    videos,
    uploads: deps.uploads,
    slots: streamSlots(config.VIDEO_STREAMS),
    maxBytes: config.VIDEO_MAX_BYTES,
    stallMs: STALL_MS,
  };
  await app.register(videoRoutes, { jobs, body, streams });
  await app.register(jobRoutes, {
    queue,
    store,
    jobs,
    body,
    presets,
    aftermath: deps.aftermath,
    leaving,
  });
  await app.register(eventRoutes, {
    queue,
    most: config.EVENT_STREAMS,
    stallMs: STALL_MS,
    heartbeatMs: HEARTBEAT_MS,
    leaving,
  });
  await app.register(webhookRoutes, { webhooks: deps.webhooks, config });
  await app.register(deliveryRoutes, { queue, deliveries: deps.webhooks.deliveries });
  await app.register(resultRoutes, { queue, store, allowOrigin: config.ALLOW_ORIGIN });
  const page = consoleFiles();
  await app.register(consoleRoutes, { files: page });
  await app.register(operationRoutes, {
    videos,
    presets,
    version,
    page,
    limits: {
      imageMaxBytes: config.IMAGE_MAX_BYTES,
      imageMaxPixels: config.IMAGE_MAX_PIXELS,
      imageMaxFrames: config.IMAGE_MAX_FRAMES,
      videoMaxBytes: config.VIDEO_MAX_BYTES,
      videoMaxSeconds: config.VIDEO_MAX_SECONDS,
      jobTtlSeconds: config.JOB_TTL_SECONDS,
      idempotencySeconds: config.IDEMPOTENCY_SECONDS,
    },
  });
  await app.register(sessionRoutes, access);
  await app.register(machineRoutes, { machine: deps.machine });
  await app.register(referenceRoutes);
  await app.register(healthRoutes, { readiness: deps.readiness });
  return app;
}

/** The client's own id if it is harmless in a log and a header, else one of ours: 72 random bits of this process and a counter. */
function requestIds(): (request: { headers: IncomingHttpHeaders }) => string {
  // Random bytes for each request cost a poll 8 % of its time.
  const prefix = randomBytes(9).toString('base64url');
  let count = 0;
  return ({ headers: { 'x-request-id': given } }) =>
    typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given)
      ? given
      : `${prefix}-${(count++).toString(36)}`;
}
