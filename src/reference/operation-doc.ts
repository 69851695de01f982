// What the reference says of an operation beside its schemas: its name, bodies, headers, refusals, and two examples that a test runs.

import type { Mediamill } from '../client/mediamill.ts';
import type { ProblemCode } from '../problems.ts';
import type { RequestHeader, ResponseHeader } from './headers.ts';

/** Ids that an example needs: shell variables in curl, and of the same names in lower case in TypeScript. */
export interface SampleIds {
  /** A finished job, with the outputs `video` and `poster`. */
  readonly job: string;
  /** A job that still waits or runs. */
  readonly running: string;
  readonly upload: string;
  readonly webhook: string;
  readonly delivery: string;
}

/** Run by the test, and shown: its text between the braces. */
export type Sample = (mediamill: Mediamill, ids: SampleIds) => Promise<unknown>;

type JsonSchema = Readonly<Record<string, unknown>>;

export interface BodyDoc {
  readonly description: string;
  readonly required: boolean;
  /** By media type. */
  readonly content: Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>;
}

export interface AnswerDoc {
  readonly description: string;
  /** Media types of answers that are no JSON. */
  readonly types?: readonly string[];
  readonly headers?: readonly ResponseHeader[];
  readonly example?: unknown;
}

export interface OperationDoc {
  /** `operationId`: stays as it is for good. */
  readonly id: string;
  /** Where the route has none. */
  readonly description?: string;
  readonly body?: BodyDoc;
  /** Request headers that it heeds, beside those of all. */
  readonly sends?: readonly RequestHeader[];
  /** By status. */
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** Beside those that the scope, the body and the path bring along. */
  readonly errors?: readonly ProblemCode[];
  readonly curl: string;
  /** Other ways to use it in a shell; the last call answers 200. */
  readonly more?: readonly { readonly label: string; readonly curl: string }[];
  /** Where the client has no call for it: null. */
  readonly script: Sample | null;
}

/** By `METHOD /path`, the path as OpenAPI writes it. */
export type OperationDocs = Readonly<Record<string, OperationDoc>>;

const binary: JsonSchema = { type: 'string', format: 'binary' };

/** A file as the raw body, or as the last part of a form that has these fields before it. */
export function fileBody(
  kind: 'image/*' | 'video/*' | null,
  fields: Readonly<Record<string, JsonSchema>> = {},
): BodyDoc {
  const form = {
    type: 'object',
    properties: { ...fields, file: { ...binary, description: 'The file itself; after all other fields' } },
    required: ['file'],
  };
  return {
    description:
      'The file, as it is or in a form. What it is, its bytes say: the Content-Type is not believed.',
    required: true,
    content: {
      'multipart/form-data': { schema: form },
      'application/octet-stream': { schema: binary },
      ...(kind !== null && { [kind]: { schema: binary } }),
    },
  };
}
