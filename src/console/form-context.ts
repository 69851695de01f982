// What the parts of a form ask of whoever shows it.

import type { Place } from './place.ts';
import type { Schema } from './schema.ts';

export interface FormContext {
  readonly problems: ReadonlyMap<string, string>;
  /** Places that stay unfolded. */
  readonly unfolded: ReadonlySet<string>;
  /** What is being typed: it stands there as it was typed, whatever is drawn meanwhile. */
  readonly typed: { readonly place: string; readonly text: string } | undefined;
  /** Undefined takes the value away, so that the server's own default holds. */
  change(place: Place, value: unknown, typed?: string): void;
  /** What a new step of this operation begins with. */
  beginning(operation: string, schema: Schema): Record<string, unknown>;
  /** A value that could stand there. Undefined: none is known. */
  exampleAt(place: Place): unknown;
  /** In one sentence, what an operation does. */
  summaryOf(operation: string): string;
}
