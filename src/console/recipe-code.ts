// A recipe as the commands and documents that one copies from the page.

import { imageQuery } from './image-query.ts';
import type { Recipe } from './operations.ts';

export interface Wanted {
  /** Of the two one. */
  readonly recipe?: Recipe;
  readonly preset?: string;
  readonly file: string;
  /** E.g. `http://127.0.0.1:3000`. */
  readonly origin: string;
  /** Whether the server asks for a key: it is named, and never written out. */
  readonly withKey: boolean;
}

export const recipeJson = (recipe: Recipe): string => JSON.stringify(recipe, null, 2);

/** A job by curl, from a file. */
export function curlForJob({ recipe, preset, file, origin, withKey }: Wanted): string {
  const what = preset === undefined ? `recipe=${JSON.stringify(recipe)}` : `preset=${preset}`;
  return [
    'curl',
    ...key(withKey),
    // `--form-string` takes the value as it is: `--form` reads `@`, `<` and `;` in it.
    `--form-string ${quoted(what)}`,
    // In double quotes, since `;` and `,` in a name would else end it.
    `--form ${quoted(`file=@"${file.replaceAll(/["\\]/g, '\\$&')}"`)}`,
    quoted(`${origin}/v1/jobs`),
  ].join(' \\\n  ');
}

/** An image at once by curl. Undefined where only a job can do it. */
export function curlForImage({ recipe, file, origin, withKey }: Wanted): string | undefined {
  const [output, ...others] = Object.values(recipe?.outputs ?? {});
  const query = output === undefined || others.length > 0 ? undefined : imageQuery(output);
  if (query === undefined) return undefined;
  const format = query.get('format') ?? 'jpeg';
  return [
    'curl',
    ...key(withKey),
    `--data-binary ${quoted(`@${file}`)}`,
    `--output ${quoted(`${file.replace(/\.[^.]*$/, '')}-new.${format === 'jpeg' ? 'jpg' : format}`)}`,
    quoted(`${origin}/v1/images?${query}`),
  ].join(' \\\n  ');
}

const key = (withKey: boolean): readonly string[] =>
  withKey ? ['--header "Authorization: Bearer $MEDIAMILL_KEY"'] : [];

/** One word of a POSIX shell (XCU 2.2.2), whatever is in it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
