// OpenAPI 3.1 from the routes' own schemas, at /openapi.json.

import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

/** Must be registered before the routes that it describes. */
export const openapi = fp(
  async (app: FastifyInstance, { version }: { readonly version: string }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Mediamill',
          version,
          description:
            'Images at once, videos as jobs. Every error is application/problem+json with a stable `code`.',
          license: { name: 'MIT', identifier: 'MIT' },
        },
        tags: [
          { name: 'images', description: 'Answered at once' },
          { name: 'videos', description: 'Answered as a job' },
          { name: 'jobs', description: 'Several outputs from one file; following the work' },
          { name: 'results', description: 'The bytes of outputs' },
          { name: 'about', description: 'What the server can do' },
          { name: 'health' },
        ],
      },
      transform: jsonSchemaTransform,
      transformObject: jsonSchemaTransformObject,
    });
    app.get('/openapi.json', { config: { scope: 'public' }, schema: { hide: true } }, async () =>
      app.swagger(),
    );
  },
  { name: 'openapi' },
);
