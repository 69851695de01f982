// The image thread, started by Piscina: the only file that loads sharp.

import { workerData } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { decoderProblem } from '../src/engines/decoder-problem.ts';
import type { Phase } from '../src/engines/decoder-problem.ts';
import type { RenderAnswer, RenderedFile, RenderTask, ThreadSettings } from '../src/engines/image-task.ts';
import { imageFormats } from '../src/operations/image-format.ts';
import type { Timing } from '../src/operations/image-format.ts';
import type { Size } from '../src/operations/image-operation.ts';
import { operationOf, sizeAfter } from '../src/operations/image-plan.ts';
import type { ImagePlan, Pipeline } from '../src/operations/image-plan.ts';
import { Problem } from '../src/problems.ts';

// One thread per image: the pool's threads are all the parallelism there is. No cache: no image comes twice.
sharp.concurrency(1);
sharp.cache(false);
// Nothing opens files, and no format is read but those that the header readers know.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadNsgifBuffer',
    'VipsForeignLoadHeifBuffer',
    'VipsForeignLoadTiffBuffer',
  ],
});

const settings = workerData as ThreadSettings;

/** Decoded 8-bit sRGB, all frames below one another. */
interface Pixels {
  readonly data: Uint8Array;
  /** Of one frame. */
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  readonly frames: number;
}

/** Makes every rendition of a task. Never throws: failures cross the thread's border as data. */
export default async function render(task: RenderTask): Promise<RenderAnswer> {
  Atomics.add(task.beat, 0, 1);
  try {
    const images = await renderAll(task);
    const answer: RenderAnswer = { ok: true, images };
    // `toUint8Array` gives every file an ArrayBuffer of its own, so that they can leave without a copy.
    return move({
      [transferableSymbol]: images.map(({ data }) => data.buffer),
      [valueSymbol]: answer,
    }) as unknown as RenderAnswer;
  } catch (error) {
    const problem = Problem.from(error);
    const isBug = problem.code === 'internal_error';
    const cause = problem.cause ?? error;
    return {
      ok: false,
      problem: problem.toDocument(),
      ...(isBug && { bug: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
    };
  }
}

async function renderAll(task: RenderTask): Promise<RenderedFile[]> {
  const { plans, header } = task;
  const [only] = plans;
  // The sideways frames of an animation must be turned one by one, which needs them decoded.
  const turnsFrames = header.orientation > 1 && plans.some(({ animated }) => animated);
  if (plans.length === 1 && only !== undefined && !turnsFrames) return [await make(only, undefined, task)];
  const decoded = await decode(task, turnsFrames);
  const images: RenderedFile[] = [];
  for (const plan of plans) {
    images.push(await make(plan, decoded, task));
  }
  return images;
}

/** A source that was decoded for several renditions. */
interface Decoded {
  readonly pixels: Pixels;
  /** Of the source, upright: `pixels` may be fewer. */
  readonly full: Size;
  readonly timing: Timing | undefined;
}

/** One rendition, from the decoded pixels or, where it is the only one, straight from the file. */
async function make(plan: ImagePlan, decoded: Decoded | undefined, task: RenderTask): Promise<RenderedFile> {
  const last = plan.pipelines.length - 1;
  let pixels = decoded && (plan.animated ? decoded.pixels : firstFrame(decoded.pixels));
  let size = decoded?.full;
  let timing = decoded?.timing;
  if (pixels === undefined && last > 0) {
    // The pixels on the way have no memory of the file, and later steps must know exactly how many there are.
    const facts = await factsOf(task, plan.animated);
    size = facts.size;
    timing = facts.timing;
  }
  for (const [index, pipeline] of plan.pipelines.entries()) {
    if (index === last) {
      const image = add(pipeline, pixels ? open(pixels) : openFile(task, plan.animated), size);
      return await encode(image, plan, pixels === undefined ? undefined : timing, phase(pixels), task);
    }
    if (pipeline.frameByFrame && pixels !== undefined) {
      pixels = await eachFrame(pixels, (frame) => add(pipeline, frame, size), task);
    } else {
      const image = add(pipeline, pixels ? open(pixels) : openFile(task, plan.animated), size);
      pixels = await toPixels(image, phase(pixels), task);
    }
    size = { width: pixels.width, height: pixels.height };
  }
  throw new Error('a plan without a pipeline');
}

/** Adds a pipeline's steps to a pass of sharp. */
function add(pipeline: Pipeline, image: Sharp, size: Size | undefined): Sharp {
  let result = image;
  let reached = size;
  for (const step of pipeline.steps) {
    result = operationOf(step).apply(result, step, reached);
    reached = reached && sizeAfter(step, reached);
  }
  return pipeline.flatten ? result.flatten({ background: '#ffffff' }) : result;
}

/**
 * Decodes the source once. `clone()` of a sharp object would not do: every clone of a buffer decodes anew.
 * A JPEG is decoded smaller where no rendition needs all of it.
 */
async function decode(task: RenderTask, turnsFrames: boolean): Promise<Decoded> {
  const { plans, header } = task;
  const animated = plans.some((plan) => plan.animated);
  const { size, timing } = await factsOf(task, animated);
  let image = openFile(task, animated, !turnsFrames);
  const times = header.mediaType === 'image/jpeg' ? shrinkFor(plans, size) : 1;
  if (times > 1) {
    const width = Math.round(size.width / times);
    const height = Math.round(size.height / times);
    image = image.resize({ width, height, fit: 'fill' });
  }
  let pixels = await toPixels(image, 'decoding', task);
  if (turnsFrames) {
    const turn = UPRIGHT[header.orientation] ?? { angle: 0, flop: false };
    // Two passes, since sharp would mirror before it turns.
    pixels = await eachFrame(pixels, (frame) => frame.rotate(turn.angle), task);
    if (turn.flop) pixels = await eachFrame(pixels, (frame) => frame.flop(), task);
  }
  return { pixels, full: size, timing };
}

/** What makes an EXIF orientation upright: first turned, then mirrored. */
const UPRIGHT: Readonly<Record<number, { angle: number; flop: boolean }>> = {
  2: { angle: 0, flop: true },
  3: { angle: 180, flop: false },
  4: { angle: 180, flop: true },
  5: { angle: 90, flop: true },
  6: { angle: 90, flop: false },
  7: { angle: 270, flop: true },
  8: { angle: 270, flop: false },
};

/**
 * How many times smaller a JPEG may be decoded for all its renditions together. Sharp shrinks on load by 2 from
 * 3 times on, by 4 from 5, by 8 from 9 (its pipeline.cc); in between, shrinking less costs no more and keeps more.
 */
function shrinkFor(plans: readonly ImagePlan[], size: Size): number {
  const allowed = plans.map(({ pipelines }) => {
    const first = pipelines[0]?.steps[0];
    return first === undefined ? 1 : (operationOf(first).shrink?.(first, size) ?? 1);
  });
  const least = Math.min(...allowed);
  return [9, 5, 3].find((times) => times <= least) ?? 1;
}

async function factsOf(
  task: RenderTask,
  animated: boolean,
): Promise<{ size: Size; timing: Timing | undefined }> {
  const facts = await settle(openFile(task, animated).metadata(), 'decoding', task);
  const height = animated ? (facts.pageHeight ?? facts.height) : facts.height;
  const turned = (facts.orientation ?? 1) >= 5;
  return {
    size: { width: turned ? height : facts.width, height: turned ? facts.width : height },
    timing: facts.delay && { delay: facts.delay, loop: facts.loop ?? 0 },
  };
}

function openFile({ source }: RenderTask, animated: boolean, autoOrient = true): Sharp {
  return sharp(source, {
    animated,
    autoOrient,
    // A cut-off or damaged file is an error and not a picture with a grey half. (`error` includes `truncated`.)
    failOn: 'error',
    limitInputPixels: settings.maxPixels,
    limitInputChannels: 5,
  });
}

function open({ data, width, height, channels, frames }: Pixels): Sharp {
  const raw = { width, height: height * frames, channels, ...(frames > 1 && { pageHeight: height }) };
  // Their number was bounded before: the plan knows every size on the way.
  return sharp(data, { raw, animated: frames > 1, limitInputPixels: false });
}

async function toPixels(image: Sharp, phase: Phase, task: RenderTask): Promise<Pixels> {
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

async function encode(
  image: Sharp,
  plan: ImagePlan,
  timing: Timing | undefined,
  phase: Phase,
  task: RenderTask,
): Promise<RenderedFile> {
  const { quality, animated } = plan;
  const format = imageFormats[plan.format];
  const encoded = format.encode(image, {
    quality,
    pixels: plan.resultPixels,
    timing: animated ? timing : undefined,
  });
  const { data, info } = await settle(encoded.toUint8Array(), phase, task);
  return { data, width: info.width, height: info.pageHeight ?? info.height };
}

/** Does something to every frame by itself. */
async function eachFrame(pixels: Pixels, change: (frame: Sharp) => Sharp, task: RenderTask): Promise<Pixels> {
  const changed: Pixels[] = [];
  for (let index = 0; index < pixels.frames; index++) {
    changed.push(await toPixels(change(open(frameOf(pixels, index))), 'afterwards', task));
  }
  const [first] = changed;
  if (first === undefined) throw new Error('an animation without frames');
  return { ...first, data: Buffer.concat(changed.map(({ data }) => data)), frames: changed.length };
}

function frameOf(pixels: Pixels, index: number): Pixels {
  const bytes = pixels.width * pixels.height * pixels.channels;
  return { ...pixels, data: pixels.data.subarray(index * bytes, (index + 1) * bytes), frames: 1 };
}

function firstFrame(pixels: Pixels): Pixels {
  return pixels.frames === 1 ? pixels : frameOf(pixels, 0);
}

function phase(pixels: Pixels | undefined): Phase {
  return pixels === undefined ? 'decoding' : 'afterwards';
}

/** Waits for a pass of sharp, gives its failure a meaning, and shows that the task is alive. */
async function settle<T>(pass: Promise<T>, phase: Phase, { header, beat }: RenderTask): Promise<T> {
  try {
    return await pass;
  } catch (error) {
    throw decoderProblem(error, phase, labelOf(header.mediaType));
  } finally {
    Atomics.add(beat, 0, 1);
  }
}

function labelOf(mediaType: string): string {
  return Object.values(imageFormats).find((format) => format.mediaType === mediaType)?.label ?? 'TIFF';
}
