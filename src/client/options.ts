// What calls take, as the server's own schemas say it. Types only: nothing of the server is loaded.

import type { z } from 'zod';
import type { imageInfoQuerySchema } from '../operations/image-facts.ts';
import type { imageSetQuerySchema } from '../operations/image-set.ts';
import type { encodingFields } from '../operations/encoding.ts';
import type { imageOperations } from '../operations/image.ts';
import type { videoQuerySchema } from '../operations/video.ts';
import type { recipeSchema } from '../jobs/recipe.ts';
import type { CallOptions } from './transport.ts';

type Table = typeof imageOperations;
type Both<T> = (T extends unknown ? (each: T) => void : never) extends (all: infer All) => void ? All : never;
type Shapes = Both<{ [Name in keyof Table]: Table[Name]['query'] }[keyof Table]>;
type Fields = Shapes & typeof encodingFields;
/** As with zod's own: what may be undefined may be left out. */
type Loose<T> = { readonly [Name in keyof T]?: T[Name] | undefined };

/** The parameters of `POST /v1/images`. */
export type ImageParams = Loose<{ [Name in keyof Fields]: z.input<Fields[Name]> }>;

/** The parameters of `POST /v1/images/set`; lists as arrays. */
export type ImageSetParams = Omit<z.input<typeof imageSetQuerySchema>, 'widths' | 'formats'> &
  Omit<ImageParams, 'format' | 'width' | 'height' | 'fit' | 'position' | 'enlarge'> & {
    readonly widths: readonly number[];
    readonly formats?: readonly Exclude<ImageParams['format'], 'auto' | 'best' | undefined>[] | undefined;
  };

export type ImageInfoParams = Omit<z.input<typeof imageInfoQuerySchema>, 'fields'> & {
  readonly fields?: readonly string[] | undefined;
};

export type VideoParams = Omit<z.input<typeof videoQuerySchema>, 'delivery'>;

export type Recipe = z.input<typeof recipeSchema>;

/** What is sent. A stream cannot be sent twice: such calls are not tried again. */
export type Source = Blob | Uint8Array<ArrayBuffer> | ArrayBuffer | ReadableStream<Uint8Array>;

export interface CreateOptions extends CallOptions {
  /** To make it once, however often it is asked for. Made up by the client unless told. */
  readonly idempotencyKey?: string | undefined;
}

export interface JobOptions extends CreateOptions {
  /** What the source is called. That of a `File` unless told. */
  readonly name?: string | undefined;
  /** −100 to 100; higher is sooner. */
  readonly priority?: number | undefined;
  /** An https URL that is told of the end. */
  readonly webhook?: string | undefined;
}

export type JobOrder = ({ readonly recipe: Recipe } | { readonly preset: string }) & {
  readonly source: Source | { readonly upload: string } | { readonly url: string };
  readonly metadata?: Readonly<Record<string, string>> | undefined;
};
