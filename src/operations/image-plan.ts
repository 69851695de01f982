// How an output is made of a source: format, sizes, and which steps share one pass of sharp. Pure arithmetic.

import type { ImageHeader } from '../lib/image-header.ts';
import { decodedFrames } from '../lib/image-header.ts';
import { Problem } from '../problems.ts';
import { imageOperations } from './image.ts';
import type { ImageOutput, ImageStep } from './image.ts';
import { chooseFormats, planEncoding, rankedFormats } from './encoding-plan.ts';
import type { EncodingPlan } from './encoding-plan.ts';
import { imageFormats } from './image-format.ts';
import { isLimited } from './image/resize-geometry.ts';
import { PLACE } from './image-operation.ts';
import type { ImageOperation, Size } from './image-operation.ts';
import type { AcceptedFormats } from './negotiation.ts';

/** Steps that sharp does in one pass and in the right order. */
export interface Pipeline {
  readonly steps: readonly ImageStep[];
  /** Once for every frame of an animation, from pixels to pixels. */
  readonly frameByFrame: boolean;
  /** Transparency becomes white at the end. */
  readonly flatten: boolean;
}

export interface ImagePlan {
  /** How it is written, and what is tried to find out. */
  readonly encoding: EncodingPlan;
  readonly animated: boolean;
  /** At least one; all but the last end in raw pixels. */
  readonly pipelines: readonly Pipeline[];
  /** Its first pipeline begins with the file, and yet must know the exact size. */
  readonly needsSize: boolean;
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
  accepted?: AcceptedFormats,
): ImagePlan {
  const frames = decodedFrames(header);
  const alpha = hasAlpha(output.steps, header.alpha);
  const picture = { mediaType: header.mediaType, alpha, animated: frames > 1 };
  const ranked = rankedFormats(output, picture, accepted);
  const animated = frames > 1 && ranked.slice(0, 1).every((format) => imageFormats[format].animation);
  const limits = { frames: animated ? frames : 1, maxPixels };
  const decisions: string[] = [];

  const steps = output.steps.flatMap((step) => {
    const instead = animated ? operationOf(step).forAnimation?.(step) : undefined;
    if (instead === undefined) return [step];
    decisions.push(instead.decision);
    return instead.params === undefined ? [] : [{ ...instead.params, op: step.op } as ImageStep];
  });
  const { peakPixels, resultPixels } = walk(steps, header, limits);

  const chosen = chooseFormats(output, ranked, picture, resultPixels);
  const [format = 'jpeg'] = chosen.formats;
  const facts = imageFormats[format];
  const flatten = alpha && !chosen.formats.every((format) => imageFormats[format].alpha);
  decisions.push(...chosen.decisions);
  if (output.format === undefined && facts.mediaType !== header.mediaType) {
    decisions.push(`written as ${facts.label}: browsers do not show ${header.mediaType}`);
  }
  if (flatten) decisions.push(`what was transparent is white: ${facts.label} has no transparency`);
  if (header.frames > 1 && !animated && header.mediaType !== 'image/tiff') {
    decisions.push(
      `only the first of ${header.frames} frames: ${stillBecause(facts.animation, facts.label)}`,
    );
  }
  const pipelines = pipelinesOf(steps, animated, flatten);
  const isOnePass =
    pipelines.length === 1 && steps.every((step) => operationOf(step).place?.(step) !== undefined);
  const encoding = planEncoding(output, chosen, { pixels: resultPixels, animated, isOnePass });
  decisions.push(...encoding.decisions);

  refuseEndless(pipelines, header, limits);
  return {
    encoding,
    animated,
    pipelines,
    needsSize: pipelines[0]?.steps.some((step) => operationOf(step).needs?.(step) === 'size') ?? false,
    peakPixels,
    resultPixels,
    decisions,
  };
}

/** The operation that a step names. Its parameters are the step itself. */
export function operationOf(step: Pick<ImageStep, 'op'>): ImageOperation {
  return imageOperations[step.op];
}

/** Whether there may be transparency after the steps. */
function hasAlpha(steps: readonly ImageStep[], before: boolean): boolean {
  return steps.reduce((alpha, step) => {
    const operation = operationOf(step);
    return operation.removesAlpha !== true && (alpha || (operation.addsAlpha?.(step) ?? false));
  }, before);
}

/** One step may take a thread so long, by the operations' own measure: well within the deadline. */
const MAX_STEP_SECONDS = 4;

export interface StepLimits extends PlanLimits {
  readonly frames: number;
}

/** The size after a step. Throws Problem `crop_outside`. */
export function sizeAfter(step: ImageStep, size: Size): Size {
  return operationOf(step).size(step, size);
}

/** The size after a step. Throws Problem: `crop_outside`, and `rendition_too_large` for what is too much. */
export function boundedSizeAfter(step: ImageStep, size: Size, { frames, maxPixels }: StepLimits): Size {
  const operation = operationOf(step);
  const atOnce = operation.frameByFrame?.(step) ? 1 : frames;
  const seconds = ((operation.seconds?.(step) ?? 0) * size.width * size.height * atOnce) / 1_000_000;
  if (seconds > MAX_STEP_SECONDS) {
    throw new Problem(
      'rendition_too_large',
      `The step ${step.op} would take too long on ${claim(size, atOnce)}. Resize it before.`,
    );
  }
  const after = operation.size(step, size);
  if (after.width * after.height * frames > maxPixels) {
    throw new Problem(
      'rendition_too_large',
      `The step ${step.op} would make ${claim(after, frames)}; at most ${maxPixels} pixels are allowed. Resize it before, or to less.`,
    );
  }
  return after;
}

/** Throws Problem `rendition_too_large` for sides that no encoder takes. */
export function refuseTooLong(size: Size, frames: number): void {
  if (size.width <= MAX_SIDE && size.height <= MAX_SIDE) return;
  throw new Problem(
    'rendition_too_large',
    `The rendition would have ${claim(size, frames)}; no side may be longer than ${MAX_SIDE}. Resize it to less.`,
  );
}

function claim({ width, height }: Size, frames: number): string {
  return `${width} × ${height} pixels${frames > 1 ? ` in ${frames} frames` : ''}`;
}

/** The largest number of pixels on the way, and that at the end. Refuses what is too large, before anything of it is done. */
function walk(
  steps: readonly ImageStep[],
  source: Size,
  limits: StepLimits,
): { peakPixels: number; resultPixels: number } {
  const { frames, maxPixels } = limits;
  let size: Size = { width: source.width, height: source.height };
  let peak = size.width * size.height * frames;
  let isBound = false;
  for (const step of steps) {
    size = boundedSizeAfter(step, size, limits);
    // Of a picture that comes out narrower than it may, enlarging can make more than was foreseen, up to the limit.
    const grows = isBound && step.op === 'resize' && (step.enlarge || isLimited(step));
    peak = Math.max(peak, grows ? maxPixels : size.width * size.height * frames);
    isBound ||= operationOf(step).sizeIsBound === true;
  }
  refuseTooLong(size, frames);
  return { peakPixels: peak, resultPixels: size.width * size.height * frames };
}

/** All passes before the last together may make so many times the pixels that one may. Each is within the deadline. */
const MAX_PASSES = 4;

/** Twenty turns of a large picture would keep a thread for a minute, and never overrun the deadline of one pass. */
function refuseEndless(pipelines: readonly Pipeline[], source: Size, limits: StepLimits): void {
  const { frames, maxPixels } = limits;
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
    const operation = operationOf(step);
    const place = operation.place?.(step);
    const group = groups.at(-1) ?? [];
    // The first pipeline begins with the file: what needs pixels has the next, or below one that only decodes.
    const isTooEarly = groups.length === 1 && group.length > 0 && operation.needs?.(step) === 'pixels';
    if (place === undefined || place[0] <= reached || isTooEarly || isTooLate(place[0], group))
      groups.push([]);
    groups.at(-1)?.push(step);
    reached = place === undefined ? Infinity : place[1];
  }
  if (groups[0]?.length === 0 && groups.length > 1) groups.shift();
  const pipelines = groups.map((group): Pipeline => {
    const frameByFrame = animated && group.some((step) => operationOf(step).frameByFrame?.(step) === true);
    return { steps: group, frameByFrame, flatten: false };
  });
  // Frame by frame goes from pixels to pixels: something decodes before, and something encodes afterwards.
  const needsPixels = groups[0]?.some((step) => operationOf(step).needs?.(step) === 'pixels') === true;
  if (needsPixels || pipelines[0]?.frameByFrame === true) pipelines.unshift(EMPTY);
  if (pipelines.at(-1)?.frameByFrame === true) pipelines.push(EMPTY);
  if (flatten) {
    // Sharp flattens before it scales. That is the same, unless a later step brings new transparency or other colours.
    const last = pipelines.at(-1) ?? EMPTY;
    if (last.steps.some(minds)) pipelines.push({ ...EMPTY, flatten });
    else pipelines[pipelines.length - 1] = { ...last, flatten };
  }
  return pipelines;
}

/** Colours bleed out of what is new and transparent, unless sharp knew of the transparency when it began. */
function isTooLate(place: number, group: readonly ImageStep[]): boolean {
  return place >= PLACE.blur && group.some((step) => operationOf(step).addsAlpha?.(step) === true);
}

/** Whether it makes a difference to flatten before this step instead of after it. */
function minds(step: ImageStep): boolean {
  const operation = operationOf(step);
  const place = operation.place?.(step);
  return place === undefined || place[1] > PLACE.blur || operation.addsAlpha?.(step) === true;
}

const EMPTY: Pipeline = { steps: [], frameByFrame: false, flatten: false };

function stillBecause(animation: boolean, label: string): string {
  return animation ? 'the decoder reads no animated PNG' : `${label} shows one`;
}
