// POST /v1/images: an image in, a rendition out, at once; or a job, if the client prefers.

import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { ImageEngine } from '../contracts.ts';
import { jobViewSchema } from '../jobs/job-view.ts';
import { contentDisposition } from '../lib/content-disposition.ts';
import { incomplete } from '../lib/detach.ts';
import { OwnBytes } from '../lib/own-bytes.ts';
import { parsePrefer } from '../lib/prefer.ts';
import { imageOutputFromQuery, imageQuerySchema } from '../operations/image.ts';
import { contentLength, mediaBody, receiveFile, tooLarge } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';
import { acceptJob, admitJob } from './accept-job.ts';
import type { JobIntake } from './accept-job.ts';

export interface ImageRoutesOptions {
  readonly images: ImageEngine;
  readonly jobs: JobIntake;
  readonly body: MediaBodyOptions;
  readonly maxBytes: number;
  /** Images that may be in memory before they have a thread: bodies that arrive, and those that wait. */
  readonly maxWaiting: number;
}

export const imageRoutes: FastifyPluginAsyncZod<ImageRoutesOptions> = async (app, options) => {
  const { images, jobs, maxBytes, maxWaiting } = options;
  await app.register(mediaBody, options.body);
  let arriving = 0;

  const readImage = async (request: FastifyRequest) => {
    arriving++;
    try {
      return await receiveFile(request, {
        maxBytes,
        fieldNames: [],
        take: async (file, name) => ({ bytes: await collect(file, contentLength(request), maxBytes), name }),
        undo: async () => undefined,
      });
    } finally {
      arriving--;
    }
  };

  app.post(
    '/v1/images',
    {
      schema: {
        summary: 'Make a rendition of an image',
        description:
          'Send the image as the raw body, or as the part `file` of multipart/form-data. The rendition is the answer. With `Prefer: respond-async` it becomes a job.',
        tags: ['images'],
        querystring: imageQuerySchema,
        consumes: ['multipart/form-data', 'application/octet-stream', 'image/*'],
        response: { 200: z.any().describe('The rendition'), 202: jobViewSchema },
      },
      onRequest: async (request) => {
        if (parsePrefer(request.headers.prefer).respondAsync) return admitJob(request, jobs);
        images.admit();
        if (arriving + images.load().waiting > maxWaiting) {
          throw new Problem(
            'overloaded',
            'All image threads are busy, and as many images as may wait are waiting.',
          );
        }
      },
    },
    async (request, reply) => {
      const output = imageOutputFromQuery(request.query);
      if (parsePrefer(request.headers.prefer).respondAsync) {
        void reply.header('preference-applied', 'respond-async');
        return acceptJob(request, reply, jobs, {
          fieldNames: [],
          orderFrom: () => ({ recipe: { outputs: { image: output } } }),
        });
      }
      const begun = performance.now();
      const { result } = await readImage(request);
      const uploadMs = performance.now() - begun;
      // The request's own signal aborts once its body is read, so the answer's socket is watched.
      const gone = new AbortController();
      reply.raw.once('close', () => {
        if (!reply.raw.writableFinished) gone.abort(new Problem('upload_incomplete', 'The client left.'));
      });
      const rendering = await images.render(result.bytes, [output], { signal: gone.signal });
      const [image] = rendering.images;
      if (image === undefined) throw new Error('the image engine answered without an image');
      if (result.name !== null)
        void reply.header('content-disposition', contentDisposition(renamed(result.name, image.mediaType)));
      if (image.decisions.length > 0)
        void reply.header('mediamill-decisions', image.decisions.map(encodeURI).join(', '));
      return reply
        .header('content-type', image.mediaType)
        .header('content-length', image.data.byteLength)
        .header('etag', `"${hash('sha1', image.data, 'base64url')}"`)
        .header('cache-control', 'no-store')
        .header('mediamill-size', `${image.width}x${image.height}`)
        .header(
          'server-timing',
          `upload;dur=${uploadMs.toFixed(1)}, queue;dur=${rendering.queueMs.toFixed(1)}, process;dur=${rendering.processMs.toFixed(1)}`,
        )
        .send(Buffer.from(image.data.buffer, image.data.byteOffset, image.data.byteLength));
    },
  );
};

/** All bytes of a stream in an ArrayBuffer of their own. Lets go of the stream instead of destroying it. */
function collect(
  stream: Readable,
  expected: number | undefined,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new OwnBytes(expected, maxBytes);
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      stream.off('data', onData).off('end', onEnd).off('close', onBroken);
      end();
    };
    const onData = (chunk: Uint8Array): void => {
      if (bytes.length + chunk.length > maxBytes) {
        stream.pause();
        settle(() => reject(tooLarge(maxBytes)));
      } else {
        bytes.push(chunk);
      }
    };
    const onEnd = (): void => settle(() => resolve(bytes.take()));
    const onBroken = (error?: unknown): void => settle(() => reject(incomplete(error)));
    stream.on('data', onData).once('end', onEnd).once('close', onBroken).once('error', onBroken);
    // Broken before we came: no event will tell us any more.
    if (stream.destroyed) onBroken(stream.errored ?? undefined);
  });
}

function renamed(name: string, mediaType: string): string {
  const extension = mediaType.split('/')[1]?.replace('jpeg', 'jpg') ?? 'bin';
  return `${name.replace(/\.[^.]*$/, '')}.${extension}`;
}
