// What a picture is: its metadata, and what is measured on a small copy of it. One decode for all of that.

import type { Metadata } from 'sharp';
import type { InspectTask } from '../src/engines/image-task.ts';
import { readExif } from '../src/lib/exif.ts';
import { readIccProfile } from '../src/lib/icc-profile.ts';
import { luminance } from '../src/lib/luminance.ts';
import { averageColour, paletteOf } from '../src/lib/palette.ts';
import { differenceHash, HASH_SIZE } from '../src/lib/perceptual-hash.ts';
import { blurhashOf, PLACEHOLDER_SIDES, thumbhashOf } from '../src/lib/placeholder.ts';
import { varianceOfLaplacian } from '../src/lib/sharpness.ts';
import type { FactName, ImageFacts } from '../src/operations/image-facts.ts';
import { open, openFile, settle, toPixels } from './passes.ts';
import type { Pixels } from './passes.ts';

/** Longest side in pixels of the copy on which sharpness is measured, and from which smaller ones are made. */
const COPY_SIDE = 1024;
const PALETTE_COLOURS = 10;

/** What is asked of the file, and what of the small copy. The header's facts are none of the thread's business. */
const OF_METADATA: readonly FactName[] = ['animation', 'colourModel', 'bitDepth', 'icc', 'exif', 'gps'];
const OF_COPY: readonly FactName[] = [
  'averageColour',
  'dominantColour',
  'palette',
  'blurhash',
  'thumbhash',
  'dhash',
  'sharpness',
];

/** The facts asked for that need the file opened. Rejects with a Problem. */
export async function inspectImage(task: InspectTask): Promise<ImageFacts> {
  const asked = new Set(task.fields);
  const facts: ImageFacts = {
    ...(OF_METADATA.some((name) => asked.has(name)) && (await metadataFacts(task))),
    ...(asked.has('opaque') && { opaque: await isOpaque(task) }),
    ...(OF_COPY.some((name) => asked.has(name)) && (await pixelFacts(task, asked))),
  };
  return Object.fromEntries(Object.entries(facts).filter(([name]) => asked.has(name as FactName)));
}

async function metadataFacts(task: InspectTask): Promise<ImageFacts> {
  const { source, header } = task;
  const found = await settle(openFile(task, false).metadata(), 'decoding', task);
  // A TIFF is itself what EXIF data are like.
  const exif = header.mediaType === 'image/tiff' ? source : found.exif;
  const tags = exif && readExif(exif);
  const isEmpty = tags === undefined || tags === null || Object.keys(tags.exif).length === 0;
  return {
    animation: animationOf(found),
    colourModel: MODELS[found.space] ?? 'other',
    bitDepth: BITS[found.depth] ?? found.bitsPerSample ?? 8,
    icc: found.icc === undefined ? null : readIccProfile(found.icc),
    exif: isEmpty ? null : tags.exif,
    gps: tags?.position ?? null,
  };
}

const MODELS: Readonly<Record<string, NonNullable<ImageFacts['colourModel']>>> = {
  srgb: 'rgb',
  rgb: 'rgb',
  rgb16: 'rgb',
  scrgb: 'rgb',
  'b-w': 'grey',
  grey16: 'grey',
  cmyk: 'cmyk',
};
const BITS: Readonly<Record<string, number>> = {
  uchar: 8,
  char: 8,
  ushort: 16,
  short: 16,
  uint: 32,
  float: 32,
};

function animationOf({ delay, loop }: Metadata): ImageFacts['animation'] {
  if (delay === undefined || delay.length < 2) return null;
  return { durationMs: delay.reduce((sum, ms) => sum + ms, 0), loop: loop ?? 0 };
}

/** By every pixel of the file itself: the smallest hole would be gone from a small copy. */
async function isOpaque(task: InspectTask): Promise<boolean> {
  if (!task.header.alpha) return true;
  const alpha = openFile(task, false).ensureAlpha().toColourspace('srgb').extractChannel('alpha');
  const { data } = await toPixels(alpha, 'decoding', task);
  return data.every((value) => value === 255);
}

async function pixelFacts(task: InspectTask, asked: ReadonlySet<FactName>): Promise<ImageFacts> {
  const has = (...names: FactName[]): boolean => names.some((name) => asked.has(name));
  const least = has('sharpness') ? COPY_SIDE : PLACEHOLDER_SIDES.thumbhash;
  const image = openFile(task, false).toColourspace('srgb').ensureAlpha();
  const fitted = image.resize({ width: least, height: least, fit: 'inside', withoutEnlargement: true });
  const copy = await toPixels(fitted, 'decoding', task);
  const small = await shrink(copy, PLACEHOLDER_SIDES.thumbhash, task);
  const palette = has('palette', 'dominantColour') ? paletteOf(small.data, PALETTE_COLOURS) : [];
  return {
    averageColour: has('averageColour') ? averageColour(small.data) : null,
    dominantColour: palette[0]?.colour ?? null,
    palette,
    ...(has('sharpness') && {
      sharpness: varianceOfLaplacian(luminance(copy.data), copy.width, copy.height),
    }),
    ...(has('thumbhash') && { thumbhash: thumbhashOf(small.data, small.width, small.height) }),
    ...(has('blurhash') && { blurhash: await blurhash(small, task) }),
    ...(has('dhash') && { dhash: await dhash(small, task) }),
  };
}

async function blurhash(pixels: Pixels, task: InspectTask): Promise<string> {
  const { data, width, height } = await shrink(pixels, PLACEHOLDER_SIDES.blurhash, task);
  return blurhashOf(data, width, height);
}

async function dhash(pixels: Pixels, task: InspectTask): Promise<string> {
  const stretched = open(pixels).resize({ ...HASH_SIZE, fit: 'fill' });
  const { data } = await toPixels(stretched, 'afterwards', task);
  return differenceHash(luminance(data));
}

/** So that no side is longer than `side`; the same where that is so already. */
async function shrink(pixels: Pixels, side: number, task: InspectTask): Promise<Pixels> {
  if (pixels.width <= side && pixels.height <= side) return pixels;
  return toPixels(open(pixels).resize({ width: side, height: side, fit: 'inside' }), 'afterwards', task);
}
