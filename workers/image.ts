// The image thread, started by Piscina: sets sharp up, and makes every rendition of a task from one decode.

import { workerData } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import type {
  InspectAnswer,
  InspectTask,
  RenderAnswer,
  RenderedFile,
  RenderTask,
  TaskFailure,
  ThreadSettings,
} from '../src/engines/image-task.ts';
import type { Timing } from '../src/operations/formats/image-format-facts.ts';
import type { Size } from '../src/operations/image-operation.ts';
import { operationOf } from '../src/operations/image-plan.ts';
import type { ImagePlan } from '../src/operations/image-plan.ts';
import { commonRoot, shareScaling } from '../src/operations/image-sharing.ts';
import { Problem } from '../src/problems.ts';
import { encode } from './encode.ts';
import { withoutHeic } from './heic.ts';
import { inspectImage } from './inspect.ts';
import { eachFrame, firstFrame, open, openFile, phase, settle, toPixels } from './passes.ts';
import type { Pixels } from './passes.ts';
import { renderNode, renderTree } from './shared-scaling.ts';
import { add } from './steps.ts';

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
    // A JPEG with a gain map is a format of its own to libvips.
    'VipsForeignLoadUhdrBuffer',
    ...((workerData as ThreadSettings | null)?.allowSvg === true ? ['VipsForeignLoadSvgBuffer'] : []),
  ],
});

/** Makes every rendition of a task. Never throws: failures cross the thread's border as data. */
export default async function render(task: RenderTask): Promise<RenderAnswer> {
  Atomics.add(task.beat, 0, 1);
  try {
    const images = await renderAll(await withoutHeic(task));
    const answer: RenderAnswer = { ok: true, images };
    // `toUint8Array` gives every file an ArrayBuffer of its own, so that they can leave without a copy.
    return move({
      [transferableSymbol]: images.map(({ data }) => data.buffer),
      [valueSymbol]: answer,
    }) as unknown as RenderAnswer;
  } catch (error) {
    return failure(error);
  }
}

/** Tells what a picture is: the other kind of task. Never throws either. */
export async function inspect(task: InspectTask): Promise<InspectAnswer> {
  Atomics.add(task.beat, 0, 1);
  try {
    return { ok: true, facts: await inspectImage(await withoutHeic(task)) };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): TaskFailure {
  const problem = Problem.from(error);
  const isBug = problem.code === 'internal_error';
  const cause = problem.cause ?? error;
  return {
    ok: false,
    problem: problem.toDocument(),
    ...(isBug && { bug: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
  };
}

async function renderAll(task: RenderTask): Promise<RenderedFile[]> {
  const { plans, header } = task;
  const [only] = plans;
  // The sideways frames of an animation must be turned one by one, which needs them decoded.
  const turnsFrames = header.orientation > 1 && plans.some(({ animated }) => animated);
  if (plans.length === 1 && only !== undefined && !turnsFrames) return [await make(only, undefined, task)];
  const images: RenderedFile[] = [];
  let decoded: Decoded | undefined;
  const done = (index: number, file: RenderedFile): void => void (images[index] = file);
  const sharing = shareScaling(plans, header, (plan) => needsFile(plan, task));
  const root = commonRoot(sharing);
  if (root !== undefined) {
    const { size } = await factsOf(task, false);
    await renderNode(root, { task, pixels: undefined, full: size }, done);
    return images;
  }
  for (const tree of sharing.trees) {
    decoded ??= await decode(task, turnsFrames);
    await renderTree(tree, { task, pixels: firstFrame(decoded.pixels), full: decoded.full }, done);
  }
  for (const [index, plan] of sharing.alone) {
    if (!needsFile(plan, task)) decoded ??= await decode(task, turnsFrames);
    images[index] = await make(plan, needsFile(plan, task) ? undefined : decoded, task);
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
  if (pixels === undefined && (last > 0 || plan.needsSize || (plan.animated && isSearched(plan)))) {
    // The pixels on the way have no memory of the file, and later steps must know exactly how many there are.
    const facts = await factsOf(task, plan.animated);
    size = facts.size;
    timing = facts.timing;
  }
  for (const [index, pipeline] of plan.pipelines.entries()) {
    if (index === last) {
      const [source, reached] = [pixels, size];
      const ownColours = plan.encoding.kept.profile;
      const image = (): Promise<Sharp> =>
        add(source ? open(source) : openFile(task, plan.animated, { ownColours }), {
          pipeline,
          size: reached,
          channels: source?.channels,
          plan,
          task,
        });
      return await encode(
        { image, plan, timing: plan.animated ? timing : undefined, phase: phase(pixels) },
        task,
      );
    }
    if (pipeline.frameByFrame && pixels !== undefined) {
      const { channels } = pixels;
      pixels = await eachFrame(pixels, (frame) => add(frame, { pipeline, size, channels, plan, task }), task);
    } else {
      const source = pixels ? open(pixels) : openFile(task, plan.animated);
      const image = await add(source, { pipeline, size, channels: pixels?.channels, plan, task });
      pixels = await toPixels(image, phase(pixels), task);
    }
    size = { width: pixels.width, height: pixels.height };
  }
  throw new Error('a plan without a pipeline');
}

/** It keeps what decoded pixels have no room for; and a drawing has no pixels of its own. */
function needsFile({ encoding }: ImagePlan, { header }: RenderTask): boolean {
  const { profile, gainMap, depth } = encoding.kept;
  return profile || gainMap || depth === 16 || header.mediaType === 'image/svg+xml';
}

/** Its pixels are written several times. */
function isSearched({ encoding }: ImagePlan): boolean {
  return encoding.maxBytes !== undefined || encoding.similarity !== undefined;
}

/**
 * Decodes the source once. `clone()` of a sharp object would not do: every clone of a buffer decodes anew.
 * A JPEG is decoded smaller where no rendition needs all of it.
 */
async function decode(task: RenderTask, turnsFrames: boolean): Promise<Decoded> {
  const { plans, header } = task;
  const animated = plans.some((plan) => plan.animated);
  const { size, timing } = await factsOf(task, animated);
  let image = openFile(task, animated, { autoOrient: !turnsFrames });
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
