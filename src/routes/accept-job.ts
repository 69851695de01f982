// Accepting a job: its file streams into the store, then its row into the queue; only then 202.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { BlobStore, JobQueue } from '../contracts.ts';
import type { VideoEngine } from '../engine-contracts.ts';
import type { Job, Lane } from '../jobs/job.ts';
import { jobPath, viewJob } from '../jobs/job-view.ts';
import { isOfImage, laneFor, videoOutputs } from '../jobs/recipe.ts';
import type { Recipe } from '../jobs/recipe.ts';
import type { Uploads } from '../jobs/uploads.ts';
import { findUpload } from '../jobs/video-results.ts';
import { detach } from '../lib/detach.ts';
import { newId } from '../lib/id.ts';
import { describeSupported, SNIFF_BYTES, sniff } from '../lib/media-type.ts';
import { videoAssetsOf } from '../operations/video.ts';
import { contentLength, receiveFile } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';

export interface JobIntake {
  readonly queue: JobQueue;
  readonly store: BlobStore;
  readonly videos: VideoEngine;
  /** Those that outputs name beside the source. */
  readonly uploads: Pick<Uploads, 'find'>;
  readonly limits: {
    readonly imageMaxBytes: number;
    readonly videoMaxBytes: number;
    readonly maxWaiting: number;
  };
}

export interface JobOrder {
  readonly recipe: Recipe;
  readonly priority?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Of a job, in the query of what makes one. */
export const prioritySchema = z.coerce
  .number()
  .int()
  .min(-100)
  .max(100)
  .optional()
  .describe('Higher goes first');

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
  const { store, queue, limits } = intake;
  const id = newId();
  const key = `sources/${id}`;
  const ordered = options.orderFrom(new Map());
  if (ordered !== undefined) await checkAssets(ordered.recipe, intake);
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
        await whileHeld(body, () => checkAssets(early.recipe, intake));
      }
      const { bytes } = await store.put(key, body, { maxBytes });
      return { name, bytes, mediaType: sniffer.mediaType() };
    },
    undo: () => store.delete(key),
  });
  let job: Job;
  let lane: Lane;
  try {
    const order = options.orderFrom(fields);
    if (order === undefined)
      throw new Problem(
        'invalid_request',
        'Say what to make of the file: send `recipe` (JSON) or `preset` (a name) in the form.',
      );
    lane = laneFor(order.recipe, result.mediaType);
    if (ordered === undefined) await checkAssets(order.recipe, intake);
    if (lane === 'video') await admitVideo(intake);
    if (lane === 'image' && result.bytes > limits.imageMaxBytes) {
      throw new Problem(
        'payload_too_large',
        `Images may have at most ${limits.imageMaxBytes} bytes; this one has ${result.bytes}.`,
      );
    }
    job = await queue.add({
      id,
      tenant: request.caller.tenant,
      lane,
      recipe: order.recipe,
      source: { key, ...result, width: null, height: null, durationSeconds: null },
      ...(order.priority !== undefined && { priority: order.priority }),
      ...(order.metadata !== undefined && { metadata: order.metadata }),
    });
  } catch (error) {
    await store.delete(key);
    throw error;
  }
  // From here on the file is the job's.
  request.log.info({ jobId: job.id, lane, bytes: result.bytes, mediaType: result.mediaType }, 'accepted');
  return reply
    .code(202)
    .header('location', jobPath(job.id))
    .header('cache-control', 'no-store')
    .send(viewJob(job));
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

/** A job whose other files are not there could only fail. They may still go before it begins. */
async function checkAssets(recipe: Recipe, { uploads }: Pick<JobIntake, 'uploads'>): Promise<void> {
  for (const reference of videoAssetsOf(Object.values(videoOutputs(recipe))))
    await findUpload(reference, uploads);
}

function isImageOrder(recipe: Recipe): boolean {
  return Object.values(recipe.outputs).every(isOfImage);
}

export function storable(file: Readable, sniffer: Transform): Readable {
  const body = detach(file);
  body.once('error', (error) => sniffer.destroy(error));
  sniffer.once('close', () => body.destroy());
  return body.pipe(sniffer);
}

/** Passes bytes through; refuses after the first few kilobytes what the server cannot work with, instead of after the last gigabyte. */
export function sniffing(check: (mediaType: string) => void): Transform & { mediaType(): string } {
  let head = Buffer.alloc(0);
  let found: string | undefined;
  const judge = (): void => {
    found = sniff(head)?.mediaType;
    if (found === undefined) {
      const why =
        head.length === 0 ? 'The file is empty.' : 'The file begins like no kind of media that is supported.';
      throw new Problem(
        head.length === 0 ? 'file_missing' : 'media_type_unsupported',
        `${why} ${describeSupported()}`,
      );
    }
    check(found);
  };
  const attempt = (done: (error?: Error | null, chunk?: Uint8Array) => void, chunk?: Uint8Array): void => {
    try {
      judge();
      done(null, chunk);
    } catch (error) {
      done(error as Error);
    }
  };
  const stream = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      if (found !== undefined) {
        done(null, chunk);
        return;
      }
      head = Buffer.concat([head, chunk.subarray(0, SNIFF_BYTES - head.length)]);
      if (head.length < SNIFF_BYTES) done(null, chunk);
      else attempt(done, chunk);
    },
    flush(done) {
      if (found === undefined) attempt(done);
      else done();
    },
  });
  return Object.assign(stream, {
    mediaType(): string {
      if (found === undefined) throw new Error('asked for the media type before the body ended');
      return found;
    },
  });
}
