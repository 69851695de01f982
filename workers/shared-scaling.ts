// Renditions that share their scaling: pixels of each size are made once, written in every format, and scaled further.

import type { Sharp } from 'sharp';
import type { RenderedFile, RenderTask } from '../src/engines/image-task.ts';
import type { Pixels, Size } from '../src/operations/image-operation.ts';
import type { ImagePlan } from '../src/operations/image-plan.ts';
import type { ScaledNode, ScalingTree } from '../src/operations/image-sharing.ts';
import { encode } from './encode.ts';
import { open, openFile, phase, toPixels } from './passes.ts';
import { add } from './steps.ts';
import type { Pass } from './steps.ts';

export interface SharedSource {
  readonly task: RenderTask;
  /** Decoded, perhaps with fewer pixels than the source has; undefined: still in the file. */
  readonly pixels: Pixels | undefined;
  /** Of the source, upright. */
  readonly full: Size;
}

/** Makes the renditions of a tree, each given to `done` with the position of its plan. */
export async function renderTree(
  { before, scaled }: ScalingTree,
  source: SharedSource,
  done: (plan: number, file: RenderedFile) => void,
): Promise<void> {
  const { task } = source;
  let { pixels, full: size } = source;
  const plan = planOf(task, scaled[0]?.plans[0]);
  for (const pipeline of before) {
    pixels = await pass(pixels, { pipeline, size, plan, task });
    size = { width: pixels.width, height: pixels.height };
  }
  // One after the other, and down to the smallest before the next: few pixels are held at a time.
  for (const node of scaled) await renderNode(node, { ...source, pixels, full: size }, done);
}

/** Makes the renditions of a node and of those below it. */
export async function renderNode(
  { step, plans, children }: ScaledNode,
  source: SharedSource,
  done: (plan: number, file: RenderedFile) => void,
): Promise<void> {
  const { task, full } = source;
  const pipeline = { steps: [step], frameByFrame: false, flatten: false };
  // The size that comes out follows from the full one, whatever it is scaled from.
  const pixels = await pass(source.pixels, { pipeline, size: full, plan: planOf(task, plans[0]), task });
  for (const index of plans) {
    const plan = planOf(task, index);
    const flatten = plan.pipelines.some((pipeline) => pipeline.flatten);
    const image = (): Sharp => (flatten ? open(pixels).flatten({ background: '#ffffff' }) : open(pixels));
    done(index, await encode({ image, plan, timing: undefined, phase: 'afterwards' }, task));
  }
  for (const child of children) await renderNode(child, { ...source, pixels }, done);
}

async function pass(pixels: Pixels | undefined, about: Omit<Pass, 'channels'>): Promise<Pixels> {
  const image = pixels ? open(pixels) : openFile(about.task, false);
  return toPixels(await add(image, { ...about, channels: pixels?.channels }), phase(pixels), about.task);
}

function planOf({ plans }: RenderTask, index: number | undefined): ImagePlan {
  const plan = index === undefined ? undefined : plans[index];
  if (plan === undefined) throw new Error('a rendition without a plan');
  return plan;
}
