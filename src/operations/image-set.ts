// imageSet: one picture in several widths and formats, with the srcset and the <picture> that show them.

import { z } from 'zod';
import { escapeMarkup } from '../lib/escape-markup.ts';
import { describeFields, fieldErrors } from '../lib/field-errors.ts';
import { looseNumber } from '../lib/loose-scalar.ts';
import { Problem } from '../problems.ts';
import { contradictions } from './encoding.ts';
import { FORMAT_OPTIONS } from './formats/image-format-facts.ts';
import { imageOperations, imageOutputFromQuery, imageOutputSchema, imageQuerySchema } from './image.ts';
import type { ImageOutput } from './image.ts';
import { IMAGE_FORMATS, imageFormats } from './image-format.ts';
import type { ImageFormat } from './image-format.ts';
import type { ImageOperation, Size } from './image-operation.ts';
import { sizeAfter } from './image-plan.ts';

const MAX_WIDTHS = 20;
/** Of a set, and of all sets and images of a recipe: one thread makes them all. */
export const MAX_RENDITIONS = 100;

const { type: _type, format: _format, steps, ...encoding } = imageOutputSchema.shape;

const width = looseNumber(z.number().int().min(1).max(16_383));
const widths = z
  .array(width)
  .min(1)
  .max(MAX_WIDTHS)
  .describe('Widths in pixels. None is made wider than the picture is');
const formats = z
  .array(z.enum(IMAGE_FORMATS))
  .min(1)
  .max(IMAGE_FORMATS.length)
  .describe('File formats, the one that browsers are to prefer first');
/** No control characters: they have no place in an attribute. */
const line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^\P{Cc}*$/u, 'must have no control characters');
const sizes = line(500).describe(
  'How wide the picture is shown: the `sizes` of the HTML, such as `(max-width: 600px) 100vw, 600px`',
);
const alt = line(1000).describe('What the picture shows, for those who do not see it: the `alt` of the HTML');

export const imageSetSchema = z
  .strictObject({
    type: z.literal('imageSet').describe('A picture in several widths and formats, for srcset and <picture>'),
    widths,
    formats: formats.default(['webp', 'jpeg']),
    steps: steps.describe('What is done to the picture, in this order, before it is scaled to each width'),
    sizes: sizes.default('100vw'),
    alt: alt.default(''),
    ...encoding,
  })
  .superRefine((set, context) => {
    // Of the formats nothing can be said: an option is for those of them that have it.
    for (const { field, message } of contradictions(set)) {
      context.addIssue({ code: 'custom', path: [field], message });
    }
    const count = set.widths.length * set.formats.length;
    if (count > MAX_RENDITIONS) {
      const message = `come to ${count} images with the formats; at most ${MAX_RENDITIONS} can be made at once`;
      context.addIssue({ code: 'custom', path: ['widths'], message });
    }
  });
export type ImageSetOutput = z.output<typeof imageSetSchema>;

/** What of a URL only says the size that each width has already said. */
const ofResize = Object.keys(imageOperations.resize.query).filter((name) =>
  Object.values<ImageOperation>(imageOperations).every(
    (operation) => operation.name === 'resize' || !Object.hasOwn(operation.query, name),
  ),
);
const inQuery = Object.fromEntries(
  Object.entries(imageQuerySchema.shape).filter(([name]) => name !== 'format' && !ofResize.includes(name)),
) as Omit<typeof imageQuerySchema.shape, 'format' | 'width' | 'height' | 'fit' | 'position' | 'enlarge'>;

const list = <S extends z.ZodType>(schema: S) =>
  z
    .string()
    .max(400)
    .transform((text) => text.split(',').map((word) => word.trim()))
    .pipe(schema as unknown as z.ZodType<z.output<S>, string[]>);

/** `POST /v1/images/set?widths=320,640&formats=webp,jpeg&…` */
export const imageSetQuerySchema = z.strictObject({
  widths: list(widths).describe('Widths in pixels, separated by commas. None is made wider than the picture'),
  formats: list(formats)
    .optional()
    .describe(
      `File formats, separated by commas, the one that browsers are to prefer first: ${IMAGE_FORMATS.join(', ')}. Without it webp,jpeg`,
    ),
  sizes: sizes.optional(),
  alt: alt.optional(),
  ...inQuery,
});

/** Throws Problem `invalid_request`, naming the parameters, where they make no sense together. */
export function imageSetFromQuery(query: z.output<typeof imageSetQuerySchema>): ImageSetOutput {
  const { widths: asked, formats: given, sizes: shown, alt: said, ...picture } = query;
  const { type: _, format: __, ...output } = imageOutputFromQuery(picture);
  const parsed = imageSetSchema.safeParse({
    ...output,
    type: 'imageSet',
    widths: asked,
    formats: given,
    sizes: shown,
    alt: said,
  });
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error.issues, 'widths');
  throw new Problem('invalid_request', `${describeFields(errors)}.`, { errors });
}

export interface ExpandedSet {
  /** Each width in each format. */
  readonly renditions: readonly { readonly width: number; readonly output: ImageOutput }[];
  readonly decisions: readonly string[];
}

/** The renditions that a set comes to, of a source of `size` (upright). Throws Problem (`crop_outside` …). */
export function expandSet(set: ImageSetOutput, size: Size): ExpandedSet {
  const { width: most } = set.steps.reduce<Size>((reached, step) => sizeAfter(step, reached), size);
  const wider = set.widths.filter((each) => each > most);
  const distinct = new Set(set.widths.map((each) => Math.min(each, most)));
  const decisions =
    wider.length === 0
      ? []
      : [
          `${most} instead of ${wider.join(' and ')}: the picture is ${most} pixels wide, and is not enlarged`,
        ];
  const renditions = [...distinct]
    .toSorted((a, b) => a - b)
    .flatMap((each) =>
      set.formats.map((format) => ({ width: each, output: renditionOf(set, each, format) })),
    );
  return { renditions, decisions };
}

function renditionOf(set: ImageSetOutput, each: number, format: ImageFormat): ImageOutput {
  const { type: _, widths: __, formats: ___, sizes: ____, alt: _____, steps: before, ...wishes } = set;
  // What the format has not is meant for the others.
  const strange = FORMAT_OPTIONS.filter((option) => !imageFormats[format].options.includes(option));
  const own = Object.entries(wishes).filter(([name]) => !(strange as readonly string[]).includes(name));
  const resize = { op: 'resize' as const, ...imageOperations.resize.params.parse({ width: each }) };
  return { ...Object.fromEntries(own), type: 'image', steps: [...before, resize], format };
}

/** One file of a set. */
export interface SetFile {
  /** `320.webp`. */
  readonly file: string;
  readonly mediaType: string;
  readonly bytes: number;
  /** Pixels. */
  readonly width: number | null;
  readonly height: number | null;
}

/** The name of a rendition. Two of a set have the same if one gave way to the other's format. */
export function setFileName(each: number, mediaType: string): string {
  return `${each}.${formatName(mediaType).replace('jpeg', 'jpg')}`;
}

export interface SetMarkup {
  /** For each format the value of a `srcset` attribute, not escaped. */
  readonly srcset: Record<string, string>;
  /** A `<picture>` with all of them. */
  readonly html: string;
}

/** How a page shows a set (HTML, 4.8.1 and 4.8.4.2). `urlOf`: relative or absolute, without spaces and commas. */
export function setMarkup(
  files: readonly SetFile[],
  { sizes: shown, alt: said }: Pick<ImageSetOutput, 'sizes' | 'alt'>,
  urlOf: (file: string) => string,
): SetMarkup {
  const srcset: Record<string, string> = {};
  const types = [...new Set(files.map(({ mediaType }) => mediaType))];
  for (const type of types) {
    // Two candidates of the same width are an error in a srcset.
    const candidates = new Map(
      files
        .filter(({ mediaType }) => mediaType === type)
        .map(({ file, width: across }) => [across, `${urlOf(file)} ${across}w`]),
    );
    srcset[formatName(type)] = [...candidates.values()].join(', ');
  }
  // Those who know no better format take the one that everybody knows.
  const last = FALLBACKS.find((type) => types.includes(type)) ?? types.at(-1) ?? '';
  const largest = files
    .filter(({ mediaType }) => mediaType === last)
    .reduce((a, b) => ((b.width ?? 0) > (a.width ?? 0) ? b : a));
  const attributes = (type: string): string =>
    `srcset="${escapeMarkup(srcset[formatName(type)] ?? '')}" sizes="${escapeMarkup(shown)}"`;
  const sources = types
    .filter((type) => type !== last)
    .map((type) => `  <source type="${type}" ${attributes(type)}>\n`);
  const { file, width: across, height } = largest;
  const img = `  <img src="${escapeMarkup(urlOf(file))}" ${attributes(last)} width="${across}" height="${height}" alt="${escapeMarkup(said)}" loading="lazy" decoding="async">\n`;
  return { srcset, html: `<picture>\n${sources.join('')}${img}</picture>` };
}

const FALLBACKS = ['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'];

function formatName(mediaType: string): string {
  return mediaType.slice('image/'.length);
}
