// Passes of sharp inside the image thread: opens files and pixels, waits for results, and shows that the task is alive.

import { workerData } from 'node:worker_threads';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { decoderProblem } from '../src/engines/decoder-problem.ts';
import type { Phase } from '../src/engines/decoder-problem.ts';
import type { SourceTask, ThreadSettings } from '../src/engines/image-task.ts';
import { imageFormats } from '../src/operations/image-format.ts';
import type { Pixels } from '../src/operations/image-operation.ts';

const settings = workerData as ThreadSettings;

export type { Pixels };

/** In sRGB, unless `ownColours` leaves them to the caller. */
export function openFile(
  { source, header }: SourceTask,
  animated: boolean,
  { autoOrient = true, ownColours = false } = {},
): Sharp {
  const image = sharp(source, {
    animated,
    autoOrient,
    // A cut-off or damaged file is an error and not a picture with a grey half. (`error` includes `truncated`.)
    failOn: 'error',
    limitInputPixels: settings.maxPixels,
    limitInputChannels: 5,
  });
  // Sharp takes 16 bits with a profile to Display P3, and would then call them sRGB.
  const isWide = header.deepProfile === true && !ownColours;
  return isWide ? image.withIccProfile('srgb', { attach: false }) : image;
}

export function open({ data, width, height, channels, frames }: Pixels): Sharp {
  const raw = { width, height: height * frames, channels, ...(frames > 1 && { pageHeight: height }) };
  // Their number was bounded before: the plan knows every size on the way.
  return sharp(data, { raw, animated: frames > 1, limitInputPixels: false });
}

/** A file that we wrote ourselves. */
export function openEncoded(file: Uint8Array): Sharp {
  return sharp(file, { limitInputPixels: false });
}

export async function toPixels(image: Sharp, phase: Phase, task: SourceTask): Promise<Pixels> {
  const raw = image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { data, info } = await settle(raw, phase, task);
  const frames = info.pages ?? 1;
  return {
    data,
    width: info.width,
    height: info.pageHeight ?? info.height,
    channels: info.channels,
    frames,
  };
}

/** Does something to every frame by itself. */
export async function eachFrame(
  pixels: Pixels,
  change: (frame: Sharp) => Sharp | Promise<Sharp>,
  task: SourceTask,
): Promise<Pixels> {
  const changed: Pixels[] = [];
  for (let index = 0; index < pixels.frames; index++) {
    changed.push(await toPixels(await change(open(frameOf(pixels, index))), 'afterwards', task));
  }
  const [first] = changed;
  if (first === undefined) throw new Error('an animation without frames');
  return { ...first, data: Buffer.concat(changed.map(({ data }) => data)), frames: changed.length };
}

function frameOf(pixels: Pixels, index: number): Pixels {
  const bytes = pixels.width * pixels.height * pixels.channels;
  return { ...pixels, data: pixels.data.subarray(index * bytes, (index + 1) * bytes), frames: 1 };
}

export function firstFrame(pixels: Pixels): Pixels {
  return pixels.frames === 1 ? pixels : frameOf(pixels, 0);
}

export function phase(pixels: Pixels | undefined): Phase {
  return pixels === undefined ? 'decoding' : 'afterwards';
}

/** Waits for a pass of sharp, gives its failure a meaning, and shows that the task is alive. */
export async function settle<T>(pass: Promise<T>, phase: Phase, { header, beat }: SourceTask): Promise<T> {
  try {
    return await pass;
  } catch (error) {
    throw decoderProblem(error, phase, labelOf(header.mediaType));
  } finally {
    Atomics.add(beat, 0, 1);
  }
}

function labelOf(mediaType: string): string {
  const known = Object.values(imageFormats).find((format) => format.mediaType === mediaType)?.label;
  return known ?? { 'image/heic': 'HEIC', 'image/svg+xml': 'SVG' }[mediaType] ?? 'image';
}
