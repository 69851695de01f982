// How a rendition is written: the fields of every image output that say so, and what they mean for a format.

import { z } from 'zod';
import { looseBoolean, looseNumber } from '../lib/loose-scalar.ts';
import { FORMAT_OPTIONS } from './formats/image-format-facts.ts';
import type { EncodeOptions, FormatOption } from './formats/image-format-facts.ts';
import { IMAGE_FORMATS, imageFormats } from './image-format.ts';
import type { ImageFormat } from './image-format.ts';

/** What `quality=auto` and `format=best` keep where nothing else is asked for. Photographs reach it at about 80 in a JPEG. */
export const SIMILARITY = 0.96;

const quality = z.number().int().min(1).max(100);
const flag = () => looseBoolean(false).optional();

/** Digits become a number, as in `looseNumber`; `auto` stays. */
const qualityOrAuto = z.preprocess(
  (value) => (typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value),
  z.union([quality, z.literal('auto')], 'must be a whole number from 1 to 100, or auto'),
) as unknown as z.ZodType<number | 'auto', number | `${number}` | 'auto'>;

/** Flat, so that they read the same in a recipe and in a URL. */
export const encodingFields = {
  format: z
    .enum([...IMAGE_FORMATS, 'auto', 'best'])
    .optional()
    .describe(
      'File format. auto: the best that the request accepts (AVIF, WebP, then JPEG or PNG). best: the smallest of those at equal similarity. Without it: that of the source, or for one that browsers do not show jpeg, and png where it has transparency',
    ),
  quality: qualityOrAuto
    .optional()
    .describe(
      '1 (small) to 100 (good), or auto: the least that reaches `similarity`. Without it 80, for avif 50. A png below 100 gets a palette of at most 256 colours; gif and tiff take no quality',
    ),
  qualityJpeg: looseNumber(quality).optional().describe('Goes before `quality` where jpeg is written'),
  qualityWebp: looseNumber(quality).optional().describe('Goes before `quality` where webp is written'),
  qualityAvif: looseNumber(quality).optional().describe('Goes before `quality` where avif is written'),
  similarity: looseNumber(z.number().min(0.5).max(0.999))
    .optional()
    .describe(
      `What quality=auto and format=best keep: the structural similarity (SSIM of the luma, measured at no more than a million pixels) to the picture before it is encoded. Without it ${SIMILARITY}`,
    ),
  maxBytes: looseNumber(z.number().int().min(100).max(1_000_000_000))
    .optional()
    .describe(
      'The file becomes no larger: the best quality that fits is searched. Where none fits, the smallest is answered, and says so',
    ),
  effort: looseNumber(z.number().int().min(0).max(6))
    .optional()
    .describe(
      '0 (fast) to 6 (small) for webp, avif, gif and a png with a palette; lowered where so many pixels would take too long. Without it: what the size affords',
    ),
  progressive: flag().describe('jpeg, png and gif: a coarse picture shows first. False without it'),
  mozjpeg: flag().describe('jpeg: smaller at the same quality, and several times the time. False without it'),
  chroma: z
    .enum(['4:2:0', '4:4:4'])
    .optional()
    .describe('jpeg and avif: colour at half or full resolution. Without it 4:2:0 for jpeg, 4:4:4 for avif'),
  palette: flag().describe('png: at most 256 colours. False without it'),
  lossless: flag().describe('webp and avif: every pixel as it is. False without it'),
  nearLossless: flag().describe(
    'webp: lossless, after colours were smoothed as `quality` allows. False without it',
  ),
  depth: z
    .preprocess((value) => (value === '8' || value === '16' ? Number(value) : value), z.literal([8, 16]))
    .optional()
    .describe('png and tiff: bits per channel; 16 are kept where the source has them. Without it 8'),
  keepProfile: flag().describe(
    'jpeg, png, webp, avif and tiff: keeps the colours and the ICC profile of the source, instead of sRGB. False without it',
  ),
  keepGainMap: flag().describe(
    'jpeg: keeps the gain map of an Ultra HDR photo, where the steps allow it. False without it',
  ),
  keepCopyright: flag().describe(
    'jpeg, png, webp and avif: keeps author and copyright of the source’s EXIF, IPTC or XMP. Nothing else of them is ever kept. False without it',
  ),
} as const;

type Fields = z.output<z.ZodObject<typeof encodingFields>>;
/** An output's encoding fields. */
export type EncodingWishes = { readonly [Name in keyof Fields]?: Fields[Name] | undefined };

interface Complaint {
  readonly field: keyof EncodingWishes;
  readonly message: string;
}

/** What makes no sense together. Of a format that is only chosen later nothing can be said yet. */
export function contradictions(wishes: EncodingWishes): Complaint[] {
  const { format, lossless, nearLossless, quality, similarity, maxBytes } = wishes;
  const found: Complaint[] = [];
  if (lossless === true && nearLossless === true)
    found.push({ field: 'nearLossless', message: 'is not possible beside lossless; ask for one of them' });
  if (similarity !== undefined && quality !== 'auto' && format !== 'best')
    found.push({ field: 'similarity', message: 'needs quality=auto or format=best' });
  if (format === 'best' && typeof quality === 'number')
    found.push({ field: 'quality', message: 'is found by itself for format=best; say `similarity` instead' });
  if (format === undefined || format === 'auto' || format === 'best') return found;
  const facts = imageFormats[format];
  for (const option of FORMAT_OPTIONS) {
    if (isAsked(wishes, option) && !facts.options.includes(option)) {
      found.push({
        field: option,
        message: `${facts.label} has none of it; it is for ${labelsWith(option)}`,
      });
    }
  }
  for (const [field, of] of Object.entries(QUALITY_OF)) {
    if (wishes[field as QualityField] !== undefined && of !== format)
      found.push({ field: field as QualityField, message: `is for ${of}, and the format is ${format}` });
  }
  if (maxBytes !== undefined && lossless === true)
    found.push({
      field: 'maxBytes',
      message: 'is not possible beside lossless: there is nothing to give way',
    });
  return found;
}

/** What the options of an output come to in a format. `lost`: sentences on those that it has none of. */
export function encodeOptionsFor(
  wishes: EncodingWishes,
  format: ImageFormat,
  pixels: number,
): { readonly options: Omit<EncodeOptions, 'timing'>; readonly lost: readonly string[] } {
  const facts = imageFormats[format];
  const lost: string[] = [];
  for (const option of FORMAT_OPTIONS) {
    if (isAsked(wishes, option) && !facts.options.includes(option))
      lost.push(`${option} was left out: ${facts.label} has none of it`);
  }
  const has = (option: FormatOption): boolean => facts.options.includes(option) && isAsked(wishes, option);
  let effort: number | undefined;
  if (wishes.effort !== undefined && facts.efforts !== undefined) {
    const { of, most } = facts.efforts(pixels);
    effort = Math.min(of[wishes.effort] ?? most, most);
    if (effort < (of[wishes.effort] ?? most))
      lost.push(`effort was lowered: ${facts.label} takes too long for so many pixels`);
  }
  const options = {
    quality: qualityOf(wishes, format),
    progressive: has('progressive'),
    mozjpeg: has('mozjpeg'),
    chroma: facts.options.includes('chroma') ? wishes.chroma : undefined,
    palette: has('palette'),
    lossless: has('lossless'),
    nearLossless: has('nearLossless'),
    effort,
    pixels,
  };
  return { options, lost };
}

const QUALITY_OF = { qualityJpeg: 'jpeg', qualityWebp: 'webp', qualityAvif: 'avif' } as const;
type QualityField = keyof typeof QUALITY_OF;

function qualityOf(wishes: EncodingWishes, format: ImageFormat): number | undefined {
  const own = Object.entries(QUALITY_OF).find(([, of]) => of === format)?.[0] as QualityField | undefined;
  const general = wishes.quality === 'auto' ? undefined : wishes.quality;
  return (own && wishes[own]) ?? general;
}

function isAsked(wishes: EncodingWishes, option: FormatOption): boolean {
  const value = wishes[option];
  // 8 bits are what every format has.
  return value !== undefined && value !== false && value !== 8;
}

function labelsWith(option: FormatOption): string {
  return IMAGE_FORMATS.filter((format) => imageFormats[format].options.includes(option)).join(', ');
}
