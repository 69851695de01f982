// What the server can do: the operation tables, presets and limits, as JSON; and the index of addresses.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { VideoEngine } from '../engine-contracts.ts';
import { recipeSchema } from '../jobs/recipe.ts';
import type { Presets } from '../jobs/presets.ts';
import { describeOperations } from '../operations/reference.ts';
import type { ConsoleFiles } from './console-files.ts';
import { sendPage, wantsPage } from './console.ts';

export interface OperationRoutesOptions {
  readonly videos: VideoEngine;
  readonly presets: Presets;
  readonly version: string;
  /** What browsers get at `/`. */
  readonly page: ConsoleFiles;
  readonly limits: Readonly<Record<string, number>>;
}

const jsonSchema = z.record(z.string(), z.unknown()).describe('JSON Schema');
const operation = z.object({
  name: z.string(),
  summary: z.string(),
  params: jsonSchema,
  examples: z.array(z.unknown()),
});

export const operationRoutes: FastifyPluginAsyncZod<OperationRoutesOptions> = async (app, options) => {
  const { videos, presets, version, page, limits } = options;
  // The tables do not change while the process lives.
  const described = describeOperations();
  const recipe = z.toJSONSchema(recipeSchema, { io: 'input', unrepresentable: 'any' });

  app.get(
    '/v1/operations',
    {
      config: { scope: 'any' },
      schema: {
        summary: 'What the server can do',
        tags: ['about'],
        response: {
          200: z.object({
            image: z.array(operation),
            video: z.array(operation),
            recipe: jsonSchema,
            presets: z.record(z.string(), recipeSchema),
            limits: z.record(z.string(), z.number()),
            ffmpeg: z.object({
              version: z.string().nullable(),
              encoders: z.array(z.string()),
              missing: z.array(z.string()),
            }),
          }),
        },
      },
    },
    async () => {
      const { ffmpeg, encoders, missing } = await videos.capabilities();
      return {
        ...described,
        recipe,
        presets: Object.fromEntries(presets),
        limits: { ...limits },
        ffmpeg: { version: ffmpeg, encoders: [...encoders], missing: [...missing] },
      };
    },
  );

  const index = {
    name: 'mediamill',
    version,
    links: {
      images: '/v1/images',
      videos: '/v1/videos',
      uploads: '/v1/uploads',
      jobs: '/v1/jobs',
      operations: '/v1/operations',
      openapi: '/openapi.json',
      docs: '/docs',
      livez: '/livez',
      readyz: '/readyz',
    },
  };
  app.get(
    '/',
    {
      config: { scope: 'public' },
      schema: {
        summary: 'What is here',
        description: 'For browsers, by `Accept: text/html`: the console.',
        tags: ['about'],
        response: {
          200: z.object({ name: z.string(), version: z.string(), links: z.record(z.string(), z.string()) }),
        },
      },
    },
    async (request, reply) => {
      if (wantsPage(request.headers.accept)) return sendPage(request, reply, page);
      return reply.header('vary', 'accept').send(index);
    },
  );
};
