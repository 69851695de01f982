// What the pool and its threads say to each other. Plain data: classes and error codes are lost between threads.

import type { Rendering } from '../engine-contracts.ts';
import type { ImageHeader } from '../lib/image-header.ts';
import { imageFormats } from '../operations/image-format.ts';
import type { ImageFormat } from '../operations/image-format.ts';
import type { FactName, ImageFacts } from '../operations/image-facts.ts';
import type { ImagePlan } from '../operations/image-plan.ts';
import type { ProblemDocument } from '../problems.ts';

/** Given to a thread once, as Piscina's workerData. */
export interface ThreadSettings {
  /** Of a source, all frames together. */
  readonly maxPixels: number;
  readonly allowSvg: boolean;
}

/** What every task has. */
export interface SourceTask {
  /** Moved to the thread. */
  readonly source: Uint8Array<ArrayBuffer>;
  readonly header: ImageHeader;
  /** A counter over shared memory: it rises when the task begins, and after every pass of sharp that ended. */
  readonly beat: Int32Array<SharedArrayBuffer>;
}

/** Another picture that a step names, copied to the thread. */
export interface Asset {
  readonly source: Uint8Array<ArrayBuffer>;
  readonly header: ImageHeader;
}

export interface RenderTask extends SourceTask {
  /** At least one. */
  readonly plans: readonly ImagePlan[];
  /** By the references in the plans' steps. */
  readonly assets: ReadonlyMap<string, Asset>;
}

export interface RenderedFile {
  readonly data: Uint8Array;
  /** Of one frame. */
  readonly width: number;
  readonly height: number;
  readonly format: ImageFormat;
  /** What was only decided while it was written. */
  readonly decisions: readonly string[];
  /** Whether `maxBytes` was held, where it was asked for. */
  readonly fits?: boolean;
}

/** `bug` is for the log: what happened, where it was our mistake. */
export interface TaskFailure {
  readonly ok: false;
  readonly problem: ProblemDocument;
  readonly bug?: string;
}

export type RenderAnswer = { readonly ok: true; readonly images: readonly RenderedFile[] } | TaskFailure;

/** The other kind of task: what a picture is, instead of a rendition of it. */
export interface InspectTask extends SourceTask {
  readonly fields: readonly FactName[];
}

export type InspectAnswer = { readonly ok: true; readonly facts: ImageFacts } | TaskFailure;

export type ImageTask = RenderTask | InspectTask;
export type TaskAnswer = RenderAnswer | InspectAnswer;
export type TaskResult = Extract<TaskAnswer, { ok: true }>;

/** The facts of an answer to an InspectTask. */
export function factsOf(result: TaskResult): ImageFacts {
  if (!('facts' in result)) throw new Error('the thread answered with renditions, not with facts');
  return result.facts;
}

/** What the caller gets of an answer. Milliseconds waited and worked. */
export function renderingOf(
  { header, plans }: Pick<RenderTask, 'header' | 'plans'>,
  result: TaskResult,
  queueMs: number,
  processMs: number,
): Rendering {
  const { mediaType, width, height } = header;
  const files = 'images' in result ? result.images : [];
  const images = plans.map((plan, index) => {
    const file = files[index];
    if (file === undefined) throw new Error('the thread made fewer renditions than were asked for');
    const { format, decisions, ...image } = file;
    return {
      ...image,
      mediaType: imageFormats[format].mediaType,
      decisions: [...plan.decisions, ...decisions],
    };
  });
  return { source: { mediaType, width, height }, images, queueMs, processMs };
}
