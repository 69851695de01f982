// What can be told of a picture: the facts, how they are asked for, and which of them stand in its header.

import { z } from 'zod';
import type { ImageHeader } from '../lib/image-header.ts';
import { looseBoolean } from '../lib/loose-scalar.ts';

const colour = z.string().describe('`#rrggbb`');

const exif = z
  .object({
    make: z.string(),
    model: z.string(),
    lens: z.string(),
    software: z.string(),
    artist: z.string(),
    copyright: z.string(),
    description: z.string(),
    takenAt: z.string().describe("The camera's clock, ISO 8601; with an offset only if the camera noted one"),
    exposureSeconds: z.number(),
    fNumber: z.number(),
    iso: z.number(),
    exposureBias: z.number().describe('EV'),
    flash: z.boolean().describe('Whether it fired'),
    focalLengthMm: z.number(),
    focalLength35Mm: z.number().describe('As on 35 mm film'),
  })
  .partial();

const position = z.object({
  latitude: z.number().describe('Degrees, north positive'),
  longitude: z.number().describe('Degrees, east positive'),
  altitudeMetres: z.number().optional(),
});

/** Those that the header tells. */
const inHeader = {
  format: z.string().describe('jpeg, png, webp …'),
  mediaType: z.string().describe('As the bytes say, whatever the file is called'),
  bytes: z.number().int().describe('Of the file'),
  width: z.number().int().describe('Pixels, upright'),
  height: z.number().int().describe('Pixels, upright'),
  frames: z.number().int().describe('1 for a still picture'),
  orientation: z.number().int().describe('EXIF orientation, 1–8; width and height are already turned by it'),
  alpha: z.boolean().describe('The file can have transparent parts'),
};

/** Those that a thread must open the file for. Of an animation the first frame counts. */
const decoded = {
  animation: z
    .object({
      durationMs: z.number().int(),
      loop: z.number().int().describe('How often it is played; 0: for ever'),
    })
    .nullable()
    .describe('Null for a still picture'),
  colourModel: z.enum(['rgb', 'grey', 'cmyk', 'other']).describe('Of the file'),
  bitDepth: z.number().int().describe('Bits per channel in the file'),
  icc: z
    .object({ name: z.string().nullable(), space: z.string().nullable() })
    .nullable()
    .describe('The colour profile: its name and the colour space it is for; null where there is none'),
  exif: exif.nullable().describe('Camera, exposure and rights; null where there is none'),
  gps: position.nullable().describe('Where it was taken. Told only with `gps=true`'),
  opaque: z.boolean().describe('No pixel is transparent'),
  averageColour: colour.nullable().describe('Mean of all pixels. Null where all are transparent'),
  dominantColour: colour.nullable().describe('The first of the palette'),
  palette: z
    .array(z.object({ colour, share: z.number().describe('Of the visible picture, 0–1') }))
    .describe('At most 10 colours that make up the picture, the most frequent first'),
  blurhash: z
    .string()
    .describe('BlurHash of 4 × 3 components (3 × 4 if upright), transparent parts as white'),
  thumbhash: z.string().describe('ThumbHash, base64'),
  dhash: z
    .string()
    .describe(
      'Perceptual hash: dHash of 64 bits, 16 hexadecimal digits. Similar pictures differ in few bits (at most some 10)',
    ),
  sharpness: z
    .number()
    .describe(
      'Variance of the Laplacian of the luma (0–255), the picture fitted into 1024 × 1024 pixels. Blurred pictures stay below some 100',
    ),
};

export const imageFactsSchema = z
  .object({ ...inHeader, ...decoded })
  .partial()
  .meta({ id: 'ImageFacts' });

/** Only what was asked for is in it. */
export type ImageFacts = z.output<typeof imageFactsSchema>;
export type FactName = keyof ImageFacts;

const ALL = Object.keys({ ...inHeader, ...decoded }) as FactName[];
/** A position must be asked for by another word than all the rest. */
const ASKABLE = ALL.filter((name) => name !== 'gps');
const WORDS = [...ASKABLE, 'size'] as const;

export const imageInfoQuerySchema = z.strictObject({
  fields: z
    .string()
    .max(400)
    .transform((text) => text.split(',').map((word) => word.trim()))
    .pipe(z.array(z.enum(WORDS)).max(WORDS.length))
    .optional()
    .describe(
      `Only these facts, separated by commas: ${WORDS.join(', ')}. \`size\` is width and height. What stands in the header (${Object.keys(inHeader).join(', ')}) is told at once, without decoding`,
    ),
  gps: looseBoolean(false).optional().describe('Whether to tell where the picture was taken'),
});

/** Every fact but the position, unless some were named. */
export function factsAskedFor({ fields, gps }: z.output<typeof imageInfoQuerySchema>): FactName[] {
  const words = fields ?? ASKABLE;
  const names = words.flatMap((word): FactName[] => (word === 'size' ? ['width', 'height'] : [word]));
  return [...new Set(gps === true ? [...names, 'gps' as const] : names)];
}

export function isInHeader(name: FactName): boolean {
  return Object.hasOwn(inHeader, name);
}

/** Those of the facts asked for that the header tells. `bytes`: of the file. */
export function headerFacts(header: ImageHeader, bytes: number, asked: readonly FactName[]): ImageFacts {
  const { mediaType, width, height, frames, orientation, alpha } = header;
  const format = mediaType.replace(/^image\/|\+xml$/g, '');
  const known = { format, mediaType, bytes, width, height, frames, orientation, alpha };
  return Object.fromEntries(Object.entries(known).filter(([name]) => asked.includes(name as FactName)));
}
