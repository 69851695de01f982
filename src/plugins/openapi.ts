// OpenAPI 3.1 from the routes' own schemas and the reference's tables, at /openapi.json.

import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { FACTS } from '../reference/complete-operation.ts';
import { completeDocument } from '../reference/document.ts';
import type { OpenApi } from '../reference/openapi.ts';
import { operationDocs } from '../reference/operation-docs.ts';

const DESCRIPTION = `Images at once, videos as jobs.

Every error is \`application/problem+json\` (RFC 9457) with a stable \`code\`. Every URL that you need next is in the answer before.
Where the server has keys, send yours as \`Authorization: Bearer mm_…\`.

The examples in TypeScript use the client of \`src/client/\`: \`const mediamill = connect({ url, key })\`. \`openAsBlob\` is of \`node:fs\`;
in a page, a \`File\` takes its place.`;

/** Must be registered before the routes that it describes. */
export const openapi = fp(
  async (app: FastifyInstance, { version }: { readonly version: string }) => {
    await app.register(swagger, {
      exposeHeadRoutes: true,
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Mediamill',
          version,
          description: DESCRIPTION,
          license: { name: 'MIT', identifier: 'MIT' },
        },
        tags: [
          { name: 'images', description: 'Answered at once' },
          { name: 'videos', description: 'Answered as a job' },
          { name: 'jobs', description: 'Several outputs from one file; following the work' },
          { name: 'results', description: 'The bytes of outputs' },
          { name: 'uploads', description: 'Sources that are stored once and used by name' },
          { name: 'webhooks', description: 'Being told how jobs end' },
          { name: 'session', description: 'Keys in browsers' },
          { name: 'about', description: 'What the server can do, and how busy it is' },
          { name: 'health', description: 'For whoever watches over it' },
        ],
      },
      transform: (given) => {
        const { schema, url } = jsonSchemaTransform(given);
        const { scope = 'public', idempotent } = given.route.config ?? {};
        const facts = { scope, idempotent: idempotent !== undefined };
        return { schema: Object.assign({}, schema, { [FACTS]: facts }), url };
      },
      transformObject: (given) => {
        const described = jsonSchemaTransformObject(given) as unknown as OpenApi;
        return completeDocument(described, operationDocs);
      },
    });
    app.get('/openapi.json', { config: { scope: 'public' }, schema: { hide: true } }, async () =>
      app.swagger(),
    );
  },
  { name: 'openapi' },
);
