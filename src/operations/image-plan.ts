// How an output is made of a source: format, sizes, and which steps share one pass of sharp. Pure arithmetic.

import type { ImageHeader } from '../lib/image-header.ts';
import { decodedFrames } from '../lib/image-header.ts';
import { Problem } from '../problems.ts';
import { imageOperations } from './image.ts';
import type { ImageOutput, ImageStep } from './image.ts';
import { formatOf, imageFormats } from './image-format.ts';
import type { ImageFormat } from './image-format.ts';
import type { ImageOperation, Size } from './image-operation.ts';

/** Steps that sharp does in one pass and in the right order. */
export interface Pipeline {
  readonly steps: readonly ImageStep[];
  /** Once for every frame of an animation, from pixels to pixels. */
  readonly frameByFrame: boolean;
  /** Transparency becomes white at the end. */
  readonly flatten: boolean;
}

export interface ImagePlan {
  readonly format: ImageFormat;
  readonly quality: number | undefined;
  readonly animated: boolean;
  /** At least one; all but the last end in raw pixels. */
  readonly pipelines: readonly Pipeline[];
  /** Pixels at the largest moment on the way, all frames. */
  readonly peakPixels: number;
  /** Of the result, all frames. */
  readonly resultPixels: number;
  readonly decisions: readonly string[];
}

export interface PlanLimits {
  /** Of a rendition and of every step towards it: width × height × frames. */
  readonly maxPixels: number;
}

/** libvips' encoders, and browsers, end here. */
const MAX_SIDE = 16_383;

/**
 * Throws Problem: `crop_outside`, `rendition_too_large`. The sizes are exact but for what follows a resize of an
 * undecoded JPEG, where shrinking on load may be one pixel off.
 */
export function planImage(
  output: ImageOutput,
  header: Omit<ImageHeader, 'scans'>,
  { maxPixels }: PlanLimits,
): ImagePlan {
  const format = output.format ?? formatOf(header.mediaType, header.alpha);
  const facts = imageFormats[format];
  const frames = decodedFrames(header);
  const animated = frames > 1 && facts.animation;
  const decisions: string[] = [];

  const steps = output.steps.map((step) => {
    const instead = animated ? operationOf(step).forAnimation?.(step) : undefined;
    if (instead !== undefined) decisions.push(instead.decision);
    return instead === undefined ? step : ({ ...instead.params, op: step.op } as ImageStep);
  });
  const { peakPixels, resultPixels } = walk(steps, header, animated ? frames : 1, format, maxPixels);

  const flatten = !facts.alpha && (header.alpha || steps.some((step) => operationOf(step).addsAlpha?.(step)));
  if (output.format === undefined && facts.mediaType !== header.mediaType) {
    decisions.push(`written as ${facts.label}: browsers do not show ${header.mediaType}`);
  }
  if (flatten) decisions.push(`what was transparent is white: ${facts.label} has no transparency`);
  if (header.frames > 1 && !animated && header.mediaType !== 'image/tiff') {
    decisions.push(
      `only the first of ${header.frames} frames: ${stillBecause(facts.animation, facts.label)}`,
    );
  }
  const { pixels: most, because } = facts.qualityUpTo ?? { pixels: Infinity, because: '' };
  const hasQuality = output.quality !== undefined && resultPixels <= most;
  if (output.quality !== undefined && !hasQuality) decisions.push(`quality was left out: ${because}`);

  const pipelines = pipelinesOf(steps, animated, flatten);
  refuseEndless(pipelines, header, animated ? frames : 1, maxPixels);
  return {
    format,
    quality: hasQuality ? output.quality : undefined,
    animated,
    pipelines,
    peakPixels,
    resultPixels,
    decisions,
  };
}

/** The operation that a step names. Its parameters are the step itself. */
export function operationOf(step: Pick<ImageStep, 'op'>): ImageOperation {
  return imageOperations[step.op];
}

/** The size after a step. */
export function sizeAfter(step: ImageStep, size: Size): Size {
  return operationOf(step).size(step, size);
}

/** The largest number of pixels on the way, and that at the end. Refuses what is too large, before anything of it is done. */
function walk(
  steps: readonly ImageStep[],
  source: Size,
  frames: number,
  format: ImageFormat,
  maxPixels: number,
): { peakPixels: number; resultPixels: number } {
  let size: Size = { width: source.width, height: source.height };
  let peak = size.width * size.height * frames;
  const refuse = (what: string): never => {
    throw new Problem('rendition_too_large', what);
  };
  const claim = () => `${size.width} × ${size.height} pixels${frames > 1 ? ` in ${frames} frames` : ''}`;
  for (const [index, step] of steps.entries()) {
    size = sizeAfter(step, size);
    const pixels = size.width * size.height * frames;
    if (pixels > maxPixels) {
      refuse(
        `Step ${index + 1} (${step.op}) would make ${claim()}; at most ${maxPixels} pixels are allowed. Resize it before, or to less.`,
      );
    }
    peak = Math.max(peak, pixels);
  }
  if (size.width > MAX_SIDE || size.height > MAX_SIDE) {
    refuse(`The rendition would have ${claim()}; no side may be longer than ${MAX_SIDE}. Resize it to less.`);
  }
  const { maxPixels: most = Infinity, label } = imageFormats[format];
  const resultPixels = size.width * size.height * frames;
  if (resultPixels > most) {
    refuse(
      `The rendition would have ${claim()}; ${label} takes so long that at most ${most} are allowed. Resize it to less, or take webp.`,
    );
  }
  return { peakPixels: peak, resultPixels };
}

/** All passes before the last together may make so many times the pixels that one may. Each is within the deadline. */
const MAX_PASSES = 4;

/** Twenty turns of a large picture would keep a thread for a minute, and never overrun the deadline of one pass. */
function refuseEndless(
  pipelines: readonly Pipeline[],
  source: Size,
  frames: number,
  maxPixels: number,
): void {
  let size: Size = source;
  let pixels = 0;
  for (const { steps } of pipelines.slice(0, -1)) {
    size = steps.reduce((reached, step) => sizeAfter(step, reached), size);
    pixels += size.width * size.height * frames;
  }
  if (pixels > MAX_PASSES * maxPixels) {
    throw new Problem(
      'rendition_too_large',
      `The steps would go over ${pixels} pixels in ${pipelines.length} passes; at most ${MAX_PASSES * maxPixels} are allowed. Resize first, then do the rest.`,
    );
  }
}

/**
 * Sharp has an order of its own in which it does what one pipeline was asked for. So steps share one only while
 * they rise in that order; then comes the next, which begins with the raw pixels of the one before.
 */
function pipelinesOf(steps: readonly ImageStep[], animated: boolean, flatten: boolean): Pipeline[] {
  const groups: ImageStep[][] = [[]];
  let reached = 0;
  for (const step of steps) {
    const place = operationOf(step).place?.(step);
    if (place === undefined || place[0] <= reached) groups.push([]);
    groups.at(-1)?.push(step);
    reached = place === undefined ? Infinity : place[1];
  }
  if (groups[0]?.length === 0 && groups.length > 1) groups.shift();
  const pipelines = groups.map((group): Pipeline => {
    const frameByFrame = animated && group.some((step) => operationOf(step).frameByFrame?.(step) === true);
    return { steps: group, frameByFrame, flatten: false };
  });
  // Frame by frame goes from pixels to pixels: something decodes before, and something encodes afterwards.
  if (pipelines[0]?.frameByFrame === true) pipelines.unshift(EMPTY);
  if (pipelines.at(-1)?.frameByFrame === true) pipelines.push(EMPTY);
  if (flatten) {
    // Sharp flattens before it scales. That is the same, unless a later step brings new transparency.
    const last = pipelines.at(-1) ?? EMPTY;
    if (last.steps.some((step) => operationOf(step).addsAlpha?.(step))) pipelines.push({ ...EMPTY, flatten });
    else pipelines[pipelines.length - 1] = { ...last, flatten };
  }
  return pipelines;
}

const EMPTY: Pipeline = { steps: [], frameByFrame: false, flatten: false };

function stillBecause(animation: boolean, label: string): string {
  return animation ? 'the decoder reads no animated PNG' : `${label} shows one`;
}
