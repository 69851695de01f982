// Presets: recipes kept under a name in a file of the operator's.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError } from '../config.ts';
import { fieldErrors } from '../lib/field-errors.ts';
import { recipeSchema } from './recipe.ts';
import type { Recipe } from './recipe.ts';

export type Presets = ReadonlyMap<string, Recipe>;

const presetsSchema = z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/), recipeSchema);

/** Reads the file `{ "name": { "outputs": … } }`. Throws ConfigError telling every mistake and where it is. */
export async function readPresets(path: string | undefined): Promise<Presets> {
  if (path === undefined) return new Map();
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`PRESETS_FILE ${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const parsed = presetsSchema.safeParse(json);
  if (!parsed.success) {
    const lines = fieldErrors(parsed.error.issues, 'file').map(
      ({ field, message }) => `  ${field}: ${message}`,
    );
    throw new ConfigError(`PRESETS_FILE ${path} is wrong:\n${lines.join('\n')}`);
  }
  return new Map(Object.entries(parsed.data));
}
