// One operation of the OpenAPI document made whole: its parameters, bodies, answers and refusals from the tables.

import { PROBLEMS } from '../problems.ts';
import type { ProblemCode } from '../problems.ts';
import type { RequestHeader, ResponseHeader } from './headers.ts';
import type { AnswerDoc, BodyDoc, OperationDoc } from './operation-doc.ts';
import { scriptOf } from './operation-docs.ts';
import type { Json, Operation } from './openapi.ts';
import { canWait, refusalsOf } from './refusals.ts';
import type { RouteFacts } from './refusals.ts';

const SECURITY = [{ key: [] }, { session: [] }, {}];

/** Set by the plugin on each operation, and taken away here. */
export const FACTS = 'x-mediamill-route';

/** An operation without facts, or that the tables do not know, stays as its route describes it. */
export function completeOperation(
  operation: Operation,
  doc: OperationDoc | undefined,
  path: string,
): Operation {
  const { [FACTS]: facts, ...rest } = operation as Operation & { [FACTS]?: RouteFacts };
  if (doc === undefined || facts === undefined) return rest;
  const { scope, idempotent } = facts;
  const isOpen = scope === 'public' || scope === 'signed';
  const sends: RequestHeader[] = [
    ...(doc.sends ?? []),
    ...(idempotent ? (['Idempotency-Key'] as const) : []),
  ];
  const needs = isOpen
    ? ''
    : scope === 'any'
      ? ' Any key will do.'
      : ` The key needs the scope \`${scope}\`.`;
  const script = scriptOf(doc);
  return {
    ...rest,
    operationId: doc.id,
    description: `${rest.description ?? doc.description ?? ''}${needs}`.trim(),
    ...(isOpen ? { security: [] } : { security: SECURITY }),
    parameters: [
      ...pathParameters(path, rest.parameters ?? []),
      ...sends.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...(doc.body !== undefined && { requestBody: body(doc.body, rest.requestBody) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(doc.answers).map(([status, about]) => [
          status,
          answer(about, rest.responses[status], facts),
        ]),
      ),
      ...Object.fromEntries([...refusalsOf(doc, facts)].map(([status, codes]) => [status, refusal(codes)])),
      // Where a status is an answer and a refusal too, it is told as an answer.
      ...Object.fromEntries(
        Object.entries(rest.responses)
          .filter(([status]) => status in doc.answers)
          .map(([status, said]) => [status, answer(doc.answers[Number(status)]!, said, facts)]),
      ),
    },
    'x-codeSamples': [
      { lang: 'Shell', label: 'curl', source: doc.curl },
      ...(doc.more ?? []).map(({ label, curl }) => ({ lang: 'Shell', label, source: curl })),
      ...(script === null ? [] : [{ lang: 'TypeScript', label: 'Client', source: script }]),
    ],
  };
}

/** Of a wildcard that was given its parts. */
function pathParameters(path: string, given: Json[]): Json[] {
  const known = given.filter(({ in: place, name }) => place !== 'path' || path.includes(`{${String(name)}}`));
  const missing = [...path.matchAll(/\{([^}]+)\}/g)]
    .map(([, name = '']) => name)
    .filter((name) => !known.some((each) => each['in'] === 'path' && each['name'] === name));
  return [
    ...known.map((each) =>
      each['in'] === 'path'
        ? { ...each, description: each['description'] ?? WHAT[String(each['name'])] }
        : each,
    ),
    ...missing.map((name) => ({
      name,
      in: 'path',
      required: true,
      description: WHAT[name],
      schema: { type: 'string' },
    })),
  ];
}

/** Parts of paths. */
const WHAT: Readonly<Record<string, string>> = {
  id: 'The id',
  name: 'The name of an output, as in the recipe',
  file: 'One of `files` of the output, or a file that a playlist names',
  options:
    'Parameters of `POST /v1/images`, joined by `&`, or `-` for none; also `preset`, `output` and `expires`',
  source: '`upload:{id}` or an https URL, percent-encoded; or either as base64url after `base64:`',
};

/** A JSON body's schema is that of the route. */
function body(doc: BodyDoc, said: Operation['requestBody']): NonNullable<Operation['requestBody']> {
  const json = said?.content['application/json'];
  const content = Object.fromEntries(
    Object.entries(doc.content).map(([type, each]) => [
      type,
      type === 'application/json' && json !== undefined ? { ...each, schema: json['schema'] } : each,
    ]),
  );
  return { ...doc, content };
}

function answer(
  { description, types, headers = [], example }: AnswerDoc,
  said: Operation['responses'][string] | undefined,
  { scope, idempotent }: RouteFacts,
): Operation['responses'][string] {
  const names: ResponseHeader[] = [
    ...headers,
    ...(idempotent ? (['Idempotency-Replayed', 'Idempotency-Key-Expires'] as const) : []),
    ...(scope === 'public' || scope === 'signed' ? [] : (['RateLimit', 'RateLimit-Policy'] as const)),
    'X-Request-Id',
  ];
  const json = said?.content?.['application/json'];
  const isText = (type: string): boolean => type.startsWith('text/');
  const content =
    types === undefined
      ? json &&
        isSomething(json['schema']) && {
          'application/json': { ...json, ...(example !== undefined && { example }) },
        }
      : Object.fromEntries(
          types.map((type) => [
            type,
            { schema: isText(type) ? { type: 'string' } : { type: 'string', format: 'binary' } },
          ]),
        );
  return {
    description,
    headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    ...(content && { content }),
  };
}

/** `z.void()` and `z.any()` come out as a schema that says nothing. */
const isSomething = (schema: unknown): boolean =>
  typeof schema === 'object' &&
  schema !== null &&
  Object.keys(schema).some(
    (key) => (key !== 'description' && key !== 'type') || (schema as Json)['type'] !== 'null',
  );

function refusal(codes: readonly ProblemCode[]): Operation['responses'][string] {
  const [first] = codes;
  const { status, title } = PROBLEMS[first!];
  const headers: ResponseHeader[] = [
    ...(canWait(codes) ? (['Retry-After'] as const) : []),
    ...(status === 401 ? (['WWW-Authenticate'] as const) : []),
    'X-Request-Id',
  ];
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('. '),
    headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/Problem' },
            { type: 'object', properties: { code: { enum: codes }, status: { const: status } } },
          ],
        },
        example: {
          type: `/problems#${first}`,
          code: first,
          status,
          title,
          detail: `${title}.`,
          instance: 'req-1',
        },
      },
    },
  };
}
