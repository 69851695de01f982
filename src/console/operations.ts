// What the server says it can do: outputs with their schemas, presets, limits.

import type { Schema } from './schema.ts';

export interface Operation {
  readonly name: string;
  readonly summary: string;
  readonly examples: readonly { readonly params: Record<string, unknown> }[];
}

export interface Operations {
  readonly image: readonly Operation[];
  readonly video: readonly Operation[];
  readonly recipe: Schema;
  readonly presets: Readonly<Record<string, Recipe>>;
  readonly limits: Readonly<Record<string, unknown>>;
  readonly ffmpeg: { readonly version: string | null };
}

export type Output = Record<string, unknown> & { type: string };
export interface Recipe {
  readonly outputs: Readonly<Record<string, Output>>;
}

export const IMAGE_TYPES: ReadonlySet<string> = new Set(['image', 'imageSet']);

/** As the server allows it. */
export const OUTPUT_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** A name for a new output of a type that none of `taken` has: `image-set`, `image-set-2`. */
export function freeName(type: string, taken: readonly string[]): string {
  const name = type.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  let free = name;
  for (let n = 2; taken.includes(free); n++) free = `${name}-${n}`;
  return free;
}

/** The schema of each type of output, by its name, in the server's order. */
export function outputSchemas({ recipe }: Pick<Operations, 'recipe'>): ReadonlyMap<string, Schema> {
  const variants = recipe.properties?.['outputs']?.additionalProperties;
  const all = typeof variants === 'object' ? (variants.oneOf ?? variants.anyOf ?? []) : [];
  return new Map(all.map((schema) => [String(schema.properties?.['type']?.const), schema]));
}
