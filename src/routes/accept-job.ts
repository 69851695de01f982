// Accepting a job: its file streams into the store, then its row into the queue; only then 202.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import type { BlobStore, JobQueue } from '../contracts.ts';
import type { VideoEngine } from '../engine-contracts.ts';
import type { JobSource, Lane } from '../jobs/job.ts';
import { jobPath, viewJob } from '../jobs/job-view.ts';
import { imageOutputs, isOfImage, laneFor, videoOutputs } from '../jobs/recipe.ts';
import type { Recipe } from '../jobs/recipe.ts';
import { UPLOAD_PREFIX } from '../uploads/upload-names.ts';
import type { Uploads } from '../uploads/uploads.ts';
import { assertAssetCount } from '../jobs/assets.ts';
import { findUpload } from '../uploads/find-source.ts';
import { newId } from '../lib/id.ts';
import { sniffing, storable } from '../lib/sniffing.ts';
import { traceOf } from '../lib/trace-context.ts';
import { assetsOf } from '../operations/assets.ts';
import { videoAssetsOf } from '../operations/video.ts';
import type { IdempotentRoute } from '../plugins/idempotency.ts';
import { contentLength, receiveFile } from '../plugins/media-body.ts';
import { isAway, Problem } from '../problems.ts';
import type { JobOrder } from './order.ts';

export interface JobIntake {
  readonly queue: JobQueue;
  readonly store: BlobStore;
  readonly videos: VideoEngine;
  /** Those that outputs name beside the source. */
  readonly uploads: Pick<Uploads, 'look'>;
  /** Throws for an address that may not be told of a job's end. */
  readonly checkWebhook: (url: string) => void;
  /** Throws `source_forbidden` for an address that nothing is fetched from. */
  readonly checkRemote: (url: string) => URL;
  readonly limits: {
    readonly imageMaxBytes: number;
    readonly videoMaxBytes: number;
    readonly maxWaiting: number;
  };
}

/** Refuses before a body is read: the queue is full, or the disk cannot hold what is announced. */
export async function admitJob(request: FastifyRequest, { queue, store, limits }: JobIntake): Promise<void> {
  const { queued } = await queue.counts();
  if (queued >= limits.maxWaiting) {
    throw new Problem(
      'overloaded',
      `${queued} jobs are waiting already, which is the most that may. Try again later.`,
      { retryAfter: 10 },
    );
  }
  await request.admitTenantJob();
  await admitBytes(request, store);
}

/** Refuses before a body is read: the disk cannot hold what is announced. */
export async function admitBytes(request: FastifyRequest, store: Pick<BlobStore, 'free'>): Promise<void> {
  const free = await store.free();
  if (free !== undefined && free <= (contentLength(request) ?? 0)) {
    throw new Problem('storage_full', 'The server has no room for this upload. Nothing was kept.');
  }
}

/** Refuses what needs FFmpeg on a machine that has none, instead of queueing a job that can only fail. */
export async function admitVideo({ videos }: Pick<JobIntake, 'videos'>): Promise<void> {
  const { ffmpeg, ffprobe } = await videos.capabilities();
  if (ffmpeg !== null && ffprobe !== null) return;
  throw new Problem(
    'encoder_missing',
    'There is no FFmpeg on the server, so it takes images only. Its operator finds the cure by `npm run doctor`.',
  );
}

/**
 * Stores the request's file, queues the job, answers 202 with `Location`. `orderFrom` makes the order from the form's
 * fields: asked before the file is stored if it can be told by then (so that a bad recipe costs nothing), else after.
 */
export async function acceptJob(
  request: FastifyRequest,
  reply: FastifyReply,
  intake: JobIntake,
  options: {
    readonly fieldNames: readonly string[];
    orderFrom(fields: ReadonlyMap<string, string>): JobOrder | undefined;
  },
): Promise<FastifyReply> {
  const { store, limits } = intake;
  const { tenant } = request.caller;
  const id = newId();
  const key = sourceKey(id);
  const ordered = options.orderFrom(new Map());
  if (ordered !== undefined) await checkOrder(ordered, tenant, intake);
  const most =
    ordered !== undefined && isImageOrder(ordered.recipe)
      ? limits.imageMaxBytes
      : Math.max(limits.imageMaxBytes, limits.videoMaxBytes);
  const { result, fields } = await receiveFile(request, {
    maxBytes: most,
    fieldNames: options.fieldNames,
    async take(file, name, before) {
      const early = options.orderFrom(before);
      const sniffer = sniffing((mediaType) => {
        if (early !== undefined) laneFor(early.recipe, mediaType);
      });
      const maxBytes =
        early !== undefined && isImageOrder(early.recipe) ? limits.imageMaxBytes : limits.videoMaxBytes;
      const body = storable(file, sniffer);
      if (early !== undefined && ordered === undefined) {
        await whileHeld(body, () => checkOrder(early, tenant, intake));
      }
      const { bytes } = await store.put(key, body, { maxBytes });
      return { name, bytes, mediaType: sniffer.mediaType() };
    },
    undo: () => drop(store, key),
  });
  let order: JobOrder | undefined;
  let lane: Lane;
  try {
    order = options.orderFrom(fields);
    if (order === undefined)
      throw new Problem(
        'invalid_request',
        'Say what to make of the file: send `recipe` (JSON) or `preset` (a name) in the form.',
      );
    if (ordered === undefined) await checkOrder(order, tenant, intake);
    lane = await laneOf(order.recipe, result, intake);
    if (lane === 'video') await request.admitTenantMinutes();
  } catch (error) {
    await drop(store, key);
    throw error;
  }
  return enqueue(request, reply, intake, { id, lane, order, source: { key, ...result } });
}

export const sourceKey = (id: string): string => `sources/${id}`;

/**
 * Queues a job and answers 202 with `Location`. What lies under the source's key is the job's from then on, and is
 * removed if there is no such job.
 */
export async function enqueue(
  request: FastifyRequest,
  reply: FastifyReply,
  { queue, store }: Pick<JobIntake, 'queue' | 'store'>,
  made: {
    readonly id: string;
    readonly lane: Lane;
    readonly order: JobOrder;
    readonly source: Pick<JobSource, 'key' | 'name' | 'mediaType' | 'bytes' | 'url'>;
  },
): Promise<FastifyReply> {
  const { id, lane, order, source } = made;
  const { tenant } = request.caller;
  const { idempotency } = request;
  const job = await queue
    .add({
      id,
      tenant,
      lane,
      recipe: order.recipe,
      source: { ...source, width: null, height: null, durationSeconds: null },
      trace: traceOf(request),
      ...(order.priority !== undefined && { priority: order.priority }),
      ...(order.metadata !== undefined && { metadata: order.metadata }),
      ...(order.webhook !== undefined && { webhook: { url: order.webhook } }),
      ...(idempotency?.kind === 'own' && { idempotencyKey: keyOf(tenant, idempotency.generation) }),
    })
    .catch(async (error: unknown) => {
      // The job may be there all the same, and needs it; if not, the sweeper finds a file without a job.
      const isUnknown = isAway(error);
      if (!isUnknown) await drop(store, source.key);
      throw error;
    });
  if (job.id === id) {
    request.log.info({ jobId: id, lane, bytes: source.bytes, mediaType: source.mediaType }, 'accepted');
  } else {
    // Whoever took this very request before was thought dead, and was not.
    await drop(store, source.key);
    void reply.header('idempotency-replayed', 'true');
  }
  return reply
    .code(202)
    .header('location', jobPath(job.id))
    .header('cache-control', 'no-store')
    .send(viewJob(job));
}

/** As far as the store can be reached: what stays is swept away as a file without a job. */
async function drop(store: Pick<BlobStore, 'delete'>, key: string): Promise<void> {
  await store.delete(key).catch(() => undefined);
}

const keyOf = (tenant: string, generation: string): string => `${tenant}:${generation}`;

/** For routes that make jobs: the job that a call has made before its process died. */
export function madeJob(
  queue: Pick<JobQueue, 'made'>,
  headers: Readonly<Record<string, string>> = {},
): NonNullable<IdempotentRoute['made']> {
  return async ({ caller: { tenant } }, generation) => {
    const job = await queue.made(keyOf(tenant, generation));
    return (
      job && {
        status: 202,
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'cache-control': 'no-store',
          location: jobPath(job.id),
          ...headers,
        },
        body: JSON.stringify(viewJob(job)),
      }
    );
  };
}

/** Something to be known before a body is stored, whose end nobody else listens to meanwhile. */
async function whileHeld(body: Readable, question: () => Promise<void>): Promise<void> {
  body.once('error', () => undefined);
  try {
    await question();
  } catch (error) {
    body.destroy();
    throw error;
  }
  if (body.errored !== null) throw body.errored;
}

/** Refuses an order that could only fail: whom it tells must be allowed, and the other files that it names be there. They may still go before it begins. */
export async function checkOrder(
  { recipe, webhook }: JobOrder,
  tenant: string,
  { uploads, checkWebhook, checkRemote }: Pick<JobIntake, 'uploads' | 'checkWebhook' | 'checkRemote'>,
): Promise<void> {
  if (webhook !== undefined) checkWebhook(webhook);
  const pictures = assetsOf(Object.values(imageOutputs(recipe)));
  assertAssetCount(pictures);
  const isUpload = (reference: string): boolean => reference.startsWith(UPLOAD_PREFIX);
  for (const reference of pictures) if (!isUpload(reference)) checkRemote(reference);
  for (const reference of [
    ...pictures.filter(isUpload),
    ...videoAssetsOf(Object.values(videoOutputs(recipe))),
  ])
    await findUpload(reference, tenant, uploads);
}

/** The lane of a job whose source is known. Rejects what cannot be made of it, or not on this machine. */
export async function laneOf(
  recipe: Recipe,
  { mediaType, bytes }: { readonly mediaType: string; readonly bytes: number },
  intake: Pick<JobIntake, 'videos' | 'limits'>,
): Promise<Lane> {
  const lane = laneFor(recipe, mediaType);
  if (lane === 'video') await admitVideo(intake);
  const most = intake.limits.imageMaxBytes;
  if (lane === 'image' && bytes > most) {
    throw new Problem('payload_too_large', `Images may have at most ${most} bytes; this one has ${bytes}.`);
  }
  return lane;
}

function isImageOrder(recipe: Recipe): boolean {
  return Object.values(recipe.outputs).every(isOfImage);
}
