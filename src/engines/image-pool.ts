// The image engine: a bounded queue before a pool of threads, and a hard deadline for what runs in them.

import { fileURLToPath } from 'node:url';
import { isMarkedAsUntransferable } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { ImageEngine, Rendering } from '../engine-contracts.ts';
import { fingerprint, isMarked } from '../lib/fingerprint.ts';
import { decodedFrames, readImageHeader, screen } from '../lib/image-header.ts';
import type { ImageOutput } from '../operations/image.ts';
import { headerFacts, isInHeader } from '../operations/image-facts.ts';
import type { FactName, ImageFacts } from '../operations/image-facts.ts';
import { planImage } from '../operations/image-plan.ts';
import { Problem } from '../problems.ts';
import { abortable } from './abortable.ts';
import { newBeat, watchBeat } from './beat-watch.ts';
import type { ImagePoolOptions } from './image-pool-options.ts';
import { screenAssets } from './image-assets.ts';
import { factsOf, renderingOf } from './image-task.ts';
import type { ImageTask, RenderTask, TaskAnswer, TaskResult, ThreadSettings } from './image-task.ts';
import { leaving, overloaded, overran, quarantined } from './pool-problems.ts';
import { Quarantine } from './quarantine.ts';
import { WaitingLine } from './waiting-line.ts';
import type { Waiting } from './waiting-line.ts';
import { WorkPace } from './work-pace.ts';

export type { ImagePoolOptions };

interface Work extends Waiting {
  readonly task: ImageTask;
  /** The thread's function for it. */
  readonly name: 'default' | 'inspect';
  readonly memoryBytes: number;
  readonly queuedAt: number;
  /** Milliseconds waited and worked. */
  readonly resolve: (result: TaskResult, queueMs: number, processMs: number) => void;
  readonly reject: (reason: unknown) => void;
}

const ENTRY = new URL('../../workers/image.ts', import.meta.url);

/** Its threads start at once and stay. */
export function createImagePool(options: ImagePoolOptions): ImageEngine {
  return new ImagePool(options);
}

class ImagePool implements ImageEngine {
  readonly #options: ImagePoolOptions;
  readonly #threads: Piscina<ImageTask, TaskAnswer>;
  readonly #quarantine: Quarantine;
  readonly #waiting = new WaitingLine<Work>();
  readonly #running = new Set<Work>();
  /** Those of the running that will not end. */
  readonly #stuck = new Set<Work>();
  #memoryBytes = 0;
  readonly #pace = new WorkPace();
  #condemned = false;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: ImagePoolOptions) {
    this.#options = options;
    const { threads, maxPixels, allowSvg = false, entry = ENTRY } = options;
    this.#threads = new Piscina({
      filename: fileURLToPath(entry),
      minThreads: threads,
      maxThreads: threads,
      recordTiming: false,
      workerData: { maxPixels, allowSvg } satisfies ThreadSettings,
    });
    this.#threads.on('error', (error: unknown) => this.#threadFailed(error));
    this.#quarantine = new Quarantine({
      hints: options.hints,
      now: options.now ?? Date.now,
      onMark: (mark, seconds) => this.#refuseMarked(mark, seconds),
    });
  }

  admit(): void {
    this.#refuseIfLeaving();
    const { queue, threads } = this.#options;
    // Work may wait although a thread is free: for memory.
    if (this.#waiting.length === 0 && this.#running.size < threads) return;
    if (this.#waiting.impatient < queue) return;
    throw overloaded(queue, this.#pace.retryAfter(this.#waiting.length, threads));
  }

  load(): { running: number; waiting: number; threads: number } {
    return { running: this.#running.size, waiting: this.#waiting.length, threads: this.#options.threads };
  }

  async render(
    source: Uint8Array<ArrayBuffer>,
    outputs: readonly ImageOutput[],
    options: NonNullable<Parameters<ImageEngine['render']>[2]> = {},
  ): Promise<Rendering> {
    const { signal, patient = false, accepted } = options;
    this.#begin(signal, patient);
    // All that can be known from the header is decided here: a bad image costs no thread and does not wait.
    const header = readImageHeader(source, this.#options);
    screen(header, this.#options);
    const plans = outputs.map((output) => planImage(output, header, this.#options, accepted));
    const frames = plans.some(({ animated }) => animated) ? decodedFrames(header) : 1;
    const pixels = Math.max(header.width * header.height * frames, ...plans.map((plan) => plan.peakPixels));
    const { assets, pixels: more } = screenAssets(outputs, options.assets, this.#options);
    const task: RenderTask = { source, header, plans, assets, beat: newBeat() };
    const about = { pixels: pixels + more, signal, patient };
    return this.#work(task, 'default', about, (result, queueMs, processMs) =>
      renderingOf(task, result, queueMs, processMs),
    );
  }

  async inspect(
    source: Uint8Array<ArrayBuffer>,
    fields: readonly FactName[],
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<ImageFacts> {
    const header = readImageHeader(source, this.#options);
    const known = headerFacts(header, source.byteLength, fields);
    if (fields.every(isInHeader)) return known;
    this.#begin(signal, false);
    screen(header, this.#options);
    const pixels = header.width * header.height;
    const task = { source, header, fields, beat: newBeat() };
    return this.#work(task, 'inspect', { pixels, signal, patient: false }, (result) =>
      Object.assign(known, factsOf(result)),
    );
  }

  #begin(signal: AbortSignal | undefined, patient: boolean): void {
    signal?.throwIfAborted();
    if (!patient) this.admit();
    else if (this.#closing !== undefined) throw leaving();
  }

  /** Has a thread do a task, in its turn. */
  #work<T>(
    task: ImageTask,
    name: Work['name'],
    about: { pixels: number; signal: AbortSignal | undefined; patient: boolean },
    read: (...result: Parameters<Work['resolve']>) => T,
  ): Promise<T> {
    const { pixels, signal, patient } = about;
    this.#refuseQuarantined(task.source);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const work: Work = {
      task,
      name,
      memoryBytes: pixels * 4,
      patient,
      queuedAt: performance.now(),
      resolve: (...result) => resolve(read(...result)),
      reject,
    };
    this.#waiting.add(work);
    this.#next();
    return abortable(promise, signal, (reason) => {
      this.#waiting.remove(work);
      reject(reason);
      this.#next();
    });
  }

  /** Waits for what runs and what waits, but not for what will never end. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    if (this.#isWedged()) this.#refuseWaiting(() => true);
    if (!this.#isIdle()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onIdle = resolve;
      await promise;
    }
    this.#quarantine.close();
    const destroyed = this.#threads.destroy();
    // A thread in native code ends with the process and not before.
    if (this.#stuck.size === 0) await destroyed;
  }

  /** Starts what can be started, in the order in which it came. */
  #next(): void {
    const { threads, memoryBytes } = this.#options;
    for (;;) {
      const work = this.#waiting.first;
      if (work === undefined || this.#running.size >= threads) break;
      // An image over the whole budget still gets its turn, alone.
      if (this.#running.size > 0 && this.#memoryBytes + work.memoryBytes > memoryBytes) break;
      this.#waiting.remove(work);
      this.#running.add(work);
      this.#memoryBytes += work.memoryBytes;
      void this.#run(work);
    }
    if (this.#isIdle()) this.#onIdle?.();
  }

  async #run(work: Work): Promise<void> {
    const begunAt = performance.now();
    let unwatch: (() => void) | undefined;
    try {
      // Taken while the bytes are still here.
      const mark = fingerprint(work.task.source);
      unwatch = watchBeat(work.task.beat, this.#options.deadlineSeconds * 1000, () =>
        this.#overrun(work, mark),
      );
      const { source } = work.task;
      // Node's pooled Buffers share an ArrayBuffer that must not go. They are small.
      const owned = isMarkedAsUntransferable(source.buffer) ? new Uint8Array(source) : source;
      const answer = await this.#threads.run(
        { ...work.task, source: owned },
        // Piscina derives the type of this list from an overload that @types/node has changed since.
        { name: work.name, transferList: [owned.buffer] as never },
      );
      const endedAt = performance.now();
      if (!answer.ok) {
        if (answer.bug !== undefined)
          this.#options.log?.error({ bug: answer.bug }, 'an image failed by our mistake');
        throw Problem.fromDocument(answer.problem);
      }
      this.#pace.add(endedAt - begunAt);
      work.resolve(answer, begunAt - work.queuedAt, endedAt - begunAt);
    } catch (error) {
      if (!(error instanceof Problem)) this.#options.log?.error({ err: error }, 'an image thread died');
      work.reject(Problem.from(error));
    } finally {
      unwatch?.();
      this.#release(work);
    }
  }

  #release(work: Work): void {
    if (this.#running.delete(work)) this.#memoryBytes -= work.memoryBytes;
    this.#stuck.delete(work);
    this.#next();
  }

  #overrun(work: Work, mark: string): void {
    const { deadlineSeconds, log, onOverrun } = this.#options;
    const { mediaType, width, height } = work.task.header;
    log?.error({ fingerprint: mark, mediaType, width, height }, 'an image overran its deadline');
    this.#stuck.add(work);
    this.#quarantine.add(mark);
    work.reject(overran(deadlineSeconds));
    if (!this.#condemned) {
      this.#condemned = true;
      onOverrun();
    }
    // Jobs wait on: when the process goes, their queue hands them to another one.
    if (this.#isWedged()) this.#refuseWaiting(({ patient }) => !patient || this.#closing !== undefined);
    if (this.#isIdle()) this.#onIdle?.();
  }

  #threadFailed(error: unknown): void {
    this.#options.log?.error({ err: error }, 'an image thread failed');
    if (this.#threads.threads.length > 0) return;
    // None could be started: what was given to them would wait for ever.
    for (const work of Array.from(this.#running)) {
      work.reject(Problem.from(error));
      this.#release(work);
    }
  }

  #refuseIfLeaving(): void {
    if (this.#condemned || this.#closing !== undefined) throw leaving();
  }

  /** A source that was just quarantined may wait here as well: it must not cost the next thread. */
  #refuseMarked(mark: string, seconds: number): void {
    for (const work of this.#waiting.take(({ task }) => isMarked(task.source, mark))) {
      work.reject(quarantined(seconds));
    }
    this.#next();
  }

  #refuseQuarantined(source: Uint8Array): void {
    if (this.#quarantine.isEmpty) return;
    const seconds = this.#quarantine.secondsLeft(fingerprint(source));
    if (seconds !== undefined) throw quarantined(seconds);
  }

  #refuseWaiting(which: (work: Work) => boolean): void {
    for (const work of this.#waiting.take(which)) work.reject(leaving());
  }

  #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#running.size === this.#stuck.size;
  }

  /** No thread will ever be free again. */
  #isWedged(): boolean {
    return this.#stuck.size >= this.#options.threads;
  }
}
