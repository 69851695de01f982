// /v1/images/info: what a picture is, as JSON. Posted, or stored before.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ImageEngine, SourceReader } from '../engine-contracts.ts';
import { UPLOAD_PREFIX } from '../uploads/uploads.ts';
import {
  factsAskedFor,
  imageFactsSchema,
  imageInfoQuerySchema,
  isInHeader,
} from '../operations/image-facts.ts';
import { mediaBody } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { clientGone } from './image-intake.ts';
import type { ImageIntake } from './image-intake.ts';

export interface ImageInfoRoutesOptions {
  readonly images: ImageEngine;
  readonly sources: SourceReader;
  readonly intake: ImageIntake;
  readonly body: MediaBodyOptions;
}

const storedInfoQuerySchema = imageInfoQuerySchema.extend({
  source: z
    .string()
    .max(100)
    .startsWith(UPLOAD_PREFIX, `must be ${UPLOAD_PREFIX} and the id of an upload`)
    .describe('A stored source: `upload:{id}`'),
});

export const imageInfoRoutes: FastifyPluginAsyncZod<ImageInfoRoutesOptions> = async (app, options) => {
  const { images, sources, intake } = options;
  // What stands in the header needs no thread, and is told also when all are busy.
  const admit = (query: unknown): void => {
    const parsed = imageInfoQuerySchema.loose().safeParse(query);
    intake.admit({ thread: !parsed.success || !factsAskedFor(parsed.data).every(isInHeader) });
  };
  await app.register(mediaBody, options.body);
  app.post(
    '/v1/images/info',
    {
      config: { scope: 'images' },
      schema: {
        summary: 'Look at an image',
        description:
          'Send the image as the raw body, or as the part `file` of multipart/form-data. The answer has the facts that were asked for. Where it was taken is told only with `gps=true`.',
        tags: ['images'],
        querystring: imageInfoQuerySchema,
        consumes: ['multipart/form-data', 'application/octet-stream', 'image/*'],
        response: { 200: imageFactsSchema },
      },
      onRequest: async (request) => admit(request.query),
    },
    async (request, reply) => {
      const asked = factsAskedFor(request.query);
      const { bytes } = await intake.read(request);
      const facts = await images.inspect(bytes, asked, { signal: clientGone(reply) });
      return reply.header('cache-control', 'no-store').send(facts);
    },
  );

  app.get(
    '/v1/images/info',
    {
      config: { scope: 'images' },
      schema: {
        summary: 'Look at a stored image',
        description: 'The same of an upload, which stays where it is.',
        tags: ['images'],
        querystring: storedInfoQuerySchema,
        response: { 200: imageFactsSchema },
      },
      onRequest: async (request) => admit(request.query),
    },
    async (request, reply) => {
      const { source, ...query } = request.query;
      const signal = clientGone(reply);
      const { tenant } = request.caller;
      const { bytes } = await intake.count((maxBytes) => sources.read(source, { tenant, maxBytes, signal }));
      const facts = await images.inspect(bytes, factsAskedFor(query), { signal });
      return reply.header('cache-control', 'no-store').send(facts);
    },
  );
};
