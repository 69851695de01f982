// The operation tables as data: for GET /v1/operations, the written reference and, later, forms.

import { z } from 'zod';
import { imageOperations } from './image.ts';
import { videoOperations } from './video.ts';

export interface OperationReference {
  readonly name: string;
  readonly summary: string;
  /** JSON Schema of what a client may send. */
  readonly params: Record<string, unknown>;
  readonly examples: unknown[];
}

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly params: z.ZodType;
  readonly examples: readonly unknown[];
}

export function describeOperations(): { image: OperationReference[]; video: OperationReference[] } {
  return { image: describe(imageOperations), video: describe(videoOperations) };
}

function describe(table: Readonly<Record<string, Described>>): OperationReference[] {
  return Object.values(table).map(({ name, summary, params, examples }) => {
    const { $schema: _, ...schema } = z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' });
    return { name, summary, params: schema, examples: [...examples] };
  });
}
