// POST /v1/images: an image in, a rendition out, at once; or a job, if the client prefers.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { hash } from 'node:crypto';
import { z } from 'zod';
import type { ImageEngine } from '../engine-contracts.ts';
import { jobViewSchema } from '../jobs/job-view.ts';
import { contentDisposition } from '../lib/content-disposition.ts';
import { imageOutputFromQuery, imageQuerySchema } from '../operations/image.ts';
import { acceptedFormats, isNegotiated } from '../operations/negotiation.ts';
import { mediaBody } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import type { JobIntake } from './accept-job.ts';
import { clientGone } from './image-intake.ts';
import type { ImageIntake } from './image-intake.ts';
import { asyncOnly, prefersAsync, webhookSchema } from './order.ts';
import { acceptPreferred, admitEither, demandScopeOfJobs, idempotentAsJob } from './preferred-job.ts';
import { describeRendition } from './rendition-headers.ts';

export interface ImageRoutesOptions {
  readonly images: ImageEngine;
  readonly jobs: JobIntake;
  readonly body: MediaBodyOptions;
  readonly intake: ImageIntake;
}

const orderQuery = imageQuerySchema.extend({ webhook: webhookSchema });

export const imageRoutes: FastifyPluginAsyncZod<ImageRoutesOptions> = async (app, options) => {
  const { images, jobs, intake } = options;
  await app.register(mediaBody, options.body);
  app.addHook('onRequest', demandScopeOfJobs);

  app.post(
    '/v1/images',
    {
      config: {
        scope: 'images',
        idempotent: idempotentAsJob(jobs),
      },
      schema: {
        summary: 'Make a rendition of an image',
        description:
          'Send the image as the raw body, or as the part `file` of multipart/form-data. The rendition is the answer. With `Prefer: respond-async` it becomes a job, which takes the scope `jobs:write` as well.',
        tags: ['images'],
        querystring: orderQuery,
        consumes: ['multipart/form-data', 'application/octet-stream', 'image/*'],
        response: { 200: z.any().describe('The rendition'), 202: jobViewSchema },
      },
      onRequest: async (request, reply) => {
        // Before anything can fail: a cache must not take a refusal of one client for that of another.
        if (isNegotiated(request.query)) void reply.header('vary', 'Accept');
        await admitEither(request, options);
      },
    },
    async (request, reply) => {
      const { webhook, ...asked } = request.query;
      const output = imageOutputFromQuery(asked);
      if (prefersAsync(request))
        return acceptPreferred(request, reply, jobs, { recipe: { outputs: { image: output } }, webhook });
      asyncOnly({ webhook });
      const begun = performance.now();
      const { bytes, name } = await intake.read(request);
      const uploadMs = performance.now() - begun;
      const rendering = await images.render(bytes, [output], {
        tenant: request.caller.tenant,
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
