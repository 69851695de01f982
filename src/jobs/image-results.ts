// The outputs of an image job: which renditions each of them comes to, and how they are kept.

import { Readable } from 'node:stream';
import type { BlobStore } from '../contracts.ts';
import type { ImageEngine, RenderedImage } from '../engine-contracts.ts';
import type { ImageOutput } from '../operations/image.ts';
import type { Size } from '../operations/image-operation.ts';
import { expandSet, setFileName, setMarkup } from '../operations/image-set.ts';
import type { ImageSetOutput } from '../operations/image-set.ts';
import type { OutputFile, OutputResult } from './job.ts';
import { outputPath, viewFiles } from './job-view.ts';
import { imageOutputs } from './recipe.ts';
import type { Recipe } from './recipe.ts';

/** An output of a recipe. A set comes to many renditions, an image to one. */
export interface WantedOutput {
  readonly name: string;
  readonly set?: ImageSetOutput;
  readonly renditions: readonly { readonly width?: number; readonly output: ImageOutput }[];
  readonly decisions: readonly string[];
}

/** All that a recipe asks for of a source of that size, upright; asked only for sets. Throws Problem (`crop_outside` …). */
export async function wantedImages(recipe: Recipe, size: () => Promise<Size>): Promise<WantedOutput[]> {
  return Promise.all(
    Object.entries(imageOutputs(recipe)).map(async ([name, output]) =>
      output.type === 'image'
        ? { name, renditions: [{ output }], decisions: [] }
        : { name, set: output, ...expandSet(output, await size()) },
    ),
  );
}

/** Pixels of a source, upright: from its header, which leaves the bytes where they are. */
export async function sizeOf(images: ImageEngine, source: Uint8Array<ArrayBuffer>): Promise<Size> {
  const { width, height } = await images.inspect(source, ['width', 'height']);
  if (width === undefined || height === undefined) throw new Error('an image without a size');
  return { width, height };
}

export interface ImageShelf {
  readonly store: BlobStore;
  /** Of the run's own folder. */
  readonly prefix: string;
  readonly jobId: string;
  readonly signal: AbortSignal;
  /** Told of each output as soon as it is stored. */
  readonly onOutput: (name: string, result: OutputResult) => void;
}

/** Stores the renditions of all outputs, which are in the order of `wanted`. */
export async function keepImages(
  wanted: readonly WantedOutput[],
  images: readonly RenderedImage[],
  shelf: ImageShelf,
): Promise<Record<string, OutputResult>> {
  const results: Record<string, OutputResult> = {};
  let at = 0;
  for (const output of wanted) {
    const own = images.slice(at, (at += output.renditions.length));
    if (own.length < output.renditions.length)
      throw new Error(`the engine made too few images for output ${output.name}`);
    const result =
      output.set === undefined
        ? await keepImage(output.name, own, shelf)
        : await keepSet(output, output.set, own, shelf);
    results[output.name] = result;
    shelf.onOutput(output.name, result);
  }
  return results;
}

async function keepImage(
  name: string,
  [image]: readonly RenderedImage[],
  shelf: ImageShelf,
): Promise<OutputResult> {
  if (image === undefined) throw new Error(`the engine made no image for output ${name}`);
  const { data, mediaType, width, height, decisions } = image;
  const key = await put(`${name}.${mediaType.split('/')[1]?.replace('jpeg', 'jpg')}`, data, shelf);
  return { mediaType, bytes: data.length, width, height, durationSeconds: null, decisions, key };
}

async function keepSet(
  { name, renditions, decisions }: WantedOutput,
  set: ImageSetOutput,
  images: readonly RenderedImage[],
  shelf: ImageShelf,
): Promise<OutputResult> {
  const files = new Map<string, OutputFile>();
  for (const [index, { data, mediaType, width, height }] of images.entries()) {
    const file = setFileName(renditions[index]?.width ?? width, mediaType);
    if (files.has(file)) continue;
    // An output's name has no dot, so no two outputs can want the same key.
    const key = await put(`${name}.${file}`, data, shelf);
    files.set(file, { file, mediaType, bytes: data.length, width, height, key });
  }
  const all = [...files.values()];
  const markup = setMarkup(all, set, (file) => outputPath(shelf.jobId, name, file));
  const manifest = Buffer.from(JSON.stringify({ files: viewFiles(shelf.jobId, name, all), ...markup }));
  const largest = all.reduce((a, b) => ((b.width ?? 0) > (a.width ?? 0) ? b : a));
  return {
    mediaType: 'application/json',
    bytes: manifest.length,
    width: largest.width,
    height: largest.height,
    durationSeconds: null,
    decisions: [...new Set([...decisions, ...images.flatMap((image) => image.decisions)])],
    key: await put(`${name}.json`, manifest, shelf),
    files: all,
  };
}

async function put(file: string, data: Uint8Array, { store, prefix, signal }: ImageShelf): Promise<string> {
  const key = `${prefix}${file}`;
  await store.put(key, Readable.from([data], { objectMode: false }), { maxBytes: data.length, signal });
  return key;
}
