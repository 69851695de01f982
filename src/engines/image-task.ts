// What the pool and its threads say to each other. Plain data: classes and error codes are lost between threads.

import type { Rendering } from '../contracts.ts';
import type { ImageHeader } from '../lib/image-header.ts';
import { imageFormats } from '../operations/image-format.ts';
import type { ImagePlan } from '../operations/image-plan.ts';
import type { ProblemDocument } from '../problems.ts';

/** Given to a thread once, as Piscina's workerData. */
export interface ThreadSettings {
  /** Of a source, all frames together. */
  readonly maxPixels: number;
}

export interface RenderTask {
  /** Moved to the thread. */
  readonly source: Uint8Array<ArrayBuffer>;
  readonly header: ImageHeader;
  /** At least one. */
  readonly plans: readonly ImagePlan[];
  /** A counter over shared memory: it rises when the task begins, and after every pass of sharp that ended. */
  readonly beat: Int32Array<SharedArrayBuffer>;
}

export interface RenderedFile {
  readonly data: Uint8Array;
  /** Of one frame. */
  readonly width: number;
  readonly height: number;
}

export type RenderAnswer =
  | { readonly ok: true; readonly images: readonly RenderedFile[] }
  /** `bug` is for the log: what happened, where it was our mistake. */
  | { readonly ok: false; readonly problem: ProblemDocument; readonly bug?: string };

/** What the caller gets of an answer. Milliseconds waited and worked. */
export function renderingOf(
  { header, plans }: Pick<RenderTask, 'header' | 'plans'>,
  files: readonly RenderedFile[],
  queueMs: number,
  processMs: number,
): Rendering {
  const { mediaType, width, height } = header;
  const images = plans.map(({ format, decisions }, index) => {
    const file = files[index];
    if (file === undefined) throw new Error('the thread made fewer renditions than were asked for');
    return { ...file, mediaType: imageFormats[format].mediaType, decisions };
  });
  return { source: { mediaType, width, height }, images, queueMs, processMs };
}
