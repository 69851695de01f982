// Adds the steps of a pipeline to a pass of sharp, and gives them what they need beyond it.

import { workerData } from 'node:worker_threads';
import sharp from 'sharp';
import type { CreateText, Sharp } from 'sharp';
import type { RenderTask, ThreadSettings } from '../src/engines/image-task.ts';
import { decodedFrames } from '../src/lib/image-header.ts';
import type { Pixels, Size, Tools } from '../src/operations/image-operation.ts';
import { boundedSizeAfter, operationOf, refuseTooLong } from '../src/operations/image-plan.ts';
import type { ImagePlan, Pipeline } from '../src/operations/image-plan.ts';
import { Problem } from '../src/problems.ts';
import { withoutHeic } from './heic.ts';
import { open, openFile, toPixels } from './passes.ts';

const settings = workerData as ThreadSettings;

export interface Pass {
  readonly pipeline: Pipeline;
  readonly plan: ImagePlan;
  readonly task: RenderTask;
  /** Of the picture as it reaches the pass, where that is known. */
  readonly size: Size | undefined;
  /** Of the decoded pixels that the pass begins with. */
  readonly channels: Pixels['channels'] | undefined;
}

/** Rejects with a Problem for what only turned out on the way: a trimmed picture that is then enlarged too much. */
export async function add(image: Sharp, { pipeline, plan, task, size, channels }: Pass): Promise<Sharp> {
  const tools = toolsFor(task, channels === 1 || channels === 3);
  const limits = {
    maxPixels: settings.maxPixels,
    frames: plan.animated ? decodedFrames(task.header) : 1,
  };
  let result = image;
  let reached = size;
  for (const step of pipeline.steps) {
    const after = reached && boundedSizeAfter(step, reached, limits);
    result = await operationOf(step).apply(result, step, reached, tools);
    reached = after;
  }
  if (pipeline === plan.pipelines.at(-1) && reached !== undefined) refuseTooLong(reached, limits.frames);
  return pipeline.flatten ? result.flatten({ background: '#ffffff' }) : result;
}

function toolsFor(task: RenderTask, opaque: boolean): Tools {
  return {
    opaque,
    pixels: (image) => toPixels(image, 'afterwards', task),
    open,
    asset: (reference, box) => asset(task, reference, box),
    text: (options) => letters(task, options),
  };
}

async function letters(task: RenderTask, options: CreateText): Promise<Pixels> {
  try {
    return await toPixels(sharp({ text: options }).toColourspace('b-w'), 'afterwards', task);
  } catch (error) {
    // Some letters are blank (U+2800), which libvips takes for a mistake.
    if (!(error instanceof Problem) || !String(error.cause).includes('no text to render')) throw error;
    return { data: new Uint8Array(1), width: 1, height: 1, channels: 1, frames: 1 };
  }
}

/** The last one that a task asked for: every frame of an animation gets the same. */
const lastAsset = new WeakMap<RenderTask, { readonly key: string; readonly pixels: Pixels }>();

async function asset(
  task: RenderTask,
  reference: string,
  { width, height, enlarge }: Size & { readonly enlarge: boolean },
): Promise<Pixels> {
  const key = `${width}x${height} ${enlarge} ${reference}`;
  const last = lastAsset.get(task);
  if (last?.key === key) return last.pixels;
  const found = task.assets.get(reference);
  if (found === undefined) throw new Error('a step names a picture that was not passed to the thread');
  try {
    const own = await withoutHeic({ ...task, ...found });
    const fitted = openFile(own, false).resize({
      width,
      height,
      fit: 'inside',
      withoutEnlargement: !enlarge,
    });
    const pixels = await toPixels(fitted.ensureAlpha(), 'decoding', own);
    lastAsset.set(task, { key, pixels });
    return pixels;
  } catch (error) {
    throw ofAsset(error, reference);
  }
}

function ofAsset(error: unknown, reference: string): Problem {
  const { code, message } = Problem.from(error);
  return new Problem(code, `The picture ${reference}: ${message}`, { cause: error });
}
