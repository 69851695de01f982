// POST /v1/images: an image in, a rendition out, at once; or a job, if the client prefers.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { hash } from 'node:crypto';
import { z } from 'zod';
import type { ImageEngine } from '../engine-contracts.ts';
import { jobViewSchema } from '../jobs/job-view.ts';
import { contentDisposition } from '../lib/content-disposition.ts';
import { parsePrefer } from '../lib/prefer.ts';
import { imageOutputFromQuery, imageQuerySchema } from '../operations/image.ts';
import { acceptedFormats, isNegotiated } from '../operations/negotiation.ts';
import { mediaBody } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { acceptJob, admitJob } from './accept-job.ts';
import type { JobIntake } from './accept-job.ts';
import { clientGone } from './image-intake.ts';
import type { ImageIntake } from './image-intake.ts';
import { describeRendition } from './rendition-headers.ts';

export interface ImageRoutesOptions {
  readonly images: ImageEngine;
  readonly jobs: JobIntake;
  readonly body: MediaBodyOptions;
  readonly intake: ImageIntake;
}

export const imageRoutes: FastifyPluginAsyncZod<ImageRoutesOptions> = async (app, options) => {
  const { images, jobs, intake } = options;
  await app.register(mediaBody, options.body);

  app.post(
    '/v1/images',
    {
      config: { scope: 'images' },
      schema: {
        summary: 'Make a rendition of an image',
        description:
          'Send the image as the raw body, or as the part `file` of multipart/form-data. The rendition is the answer. With `Prefer: respond-async` it becomes a job.',
        tags: ['images'],
        querystring: imageQuerySchema,
        consumes: ['multipart/form-data', 'application/octet-stream', 'image/*'],
        response: { 200: z.any().describe('The rendition'), 202: jobViewSchema },
      },
      onRequest: async (request, reply) => {
        // Before anything can fail: a cache must not take a refusal of one client for that of another.
        if (isNegotiated(request.query)) void reply.header('vary', 'Accept');
        if (parsePrefer(request.headers.prefer).respondAsync) return admitJob(request, jobs);
        intake.admit();
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
      const { bytes, name } = await intake.read(request);
      const uploadMs = performance.now() - begun;
      const rendering = await images.render(bytes, [output], {
        signal: clientGone(reply),
        accepted: acceptedFormats(request.headers.accept, output),
      });
      const [image] = rendering.images;
      if (image === undefined) throw new Error('the image engine answered without an image');
      if (name !== null)
        void reply.header('content-disposition', contentDisposition(renamed(name, image.mediaType)));
      return describeRendition(reply, image)
        .header('content-length', image.data.byteLength)
        .header('etag', `"${hash('sha1', image.data, 'base64url')}"`)
        .header('cache-control', 'no-store')
        .header(
          'server-timing',
          `upload;dur=${uploadMs.toFixed(1)}, queue;dur=${rendering.queueMs.toFixed(1)}, process;dur=${rendering.processMs.toFixed(1)}`,
        )
        .send(Buffer.from(image.data.buffer, image.data.byteOffset, image.data.byteLength));
    },
  );
};

function renamed(name: string, mediaType: string): string {
  const extension = mediaType.split('/')[1]?.replace('jpeg', 'jpg') ?? 'bin';
  return `${name.replace(/\.[^.]*$/, '')}.${extension}`;
}
