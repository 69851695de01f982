// The OpenAPI document made whole: what the routes' schemas cannot say is added from the reference's tables.

import { z } from 'zod';
import { problemSchema } from '../jobs/job-view.ts';
import { recipeSchema } from '../jobs/recipe.ts';
import { jsonOrderSchema } from '../routes/order.ts';
import { completeOperation } from './complete-operation.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import type { Json, OpenApi } from './openapi.ts';
import type { OperationDocs } from './operation-doc.ts';
import { webhookMessages } from './webhook-messages.ts';

/** A wildcard has no place in OpenAPI; what it stands for has. */
const PATHS: Readonly<Record<string, string>> = {
  '/v1/images/{signature}/{*}': '/v1/images/{signature}/{options}/{source}',
};

/** Operations that the tables do not know stay as their routes describe them: a test finds them. */
export function completeDocument(document: OpenApi, docs: OperationDocs): OpenApi {
  const paths: OpenApi['paths'] = {};
  for (const [routePath, methods] of Object.entries(document.paths)) {
    const path = PATHS[routePath] ?? routePath;
    for (const [method, operation] of Object.entries(methods)) {
      const doc = docs[`${method.toUpperCase()} ${path}`];
      // HEAD is GET without the body, where it is not something of its own.
      if (doc === undefined && method === 'head') continue;
      paths[path] ??= {};
      paths[path][method] = completeOperation(operation, doc, path);
    }
  }
  const whole: OpenApi = {
    ...document,
    servers: [{ url: '/', description: 'This server' }],
    paths,
    webhooks: webhookMessages(),
    components: {
      ...document.components,
      schemas: { ...document.components.schemas, Problem: problem(), Recipe: recipe(), JobOrder: jobOrder() },
      headers: Object.fromEntries(Object.entries(responseHeaders)),
      parameters: Object.fromEntries(
        Object.entries(requestHeaders).map(([name, about]) => [
          name,
          { name, in: 'header', required: false, ...about },
        ]),
      ),
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description: 'A key of this server: `Authorization: Bearer mm_…`',
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'mediamill_session',
          description: 'Set by `POST /v1/session`; GET and HEAD only',
        },
      },
    },
  };
  return withoutUnused(whole);
}

function problem(): Json {
  const schema = problemSchema.extend({
    instance: z.string().optional().describe('The request, as the log calls it'),
  });
  return {
    ...jsonSchema(schema, 'output'),
    additionalProperties: true,
    description: 'RFC 9457. Compare `code`; the words may change',
  };
}

function recipe(): Json {
  return { ...jsonSchema(recipeSchema, 'input'), description: 'The named outputs wanted from one source' };
}

function jobOrder(): Json {
  // It has a name, so it comes as a reference to itself.
  const { $defs } = jsonSchema(jsonOrderSchema, 'input') as { $defs: { JobOrder: { properties: Json } } };
  const schema = $defs.JobOrder;
  return { ...schema, properties: { ...schema.properties, recipe: { $ref: '#/components/schemas/Recipe' } } };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

/** Schemas that nothing leads to, such as what a schema would be if it were sent and not answered. */
function withoutUnused(document: OpenApi): OpenApi {
  const { schemas } = document.components;
  const used = new Set<string>();
  const visit = (value: unknown): void => {
    const text = JSON.stringify(value) ?? '';
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(schemas[name]);
    }
  };
  visit(document.paths);
  visit(document.webhooks);
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  return { ...document, components: { ...document.components, schemas: kept } };
}
