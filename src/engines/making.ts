// One try at the outputs of a source: the planned runs, each result checked, then finished.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProducedOutput, VideoEngine } from '../engine-contracts.ts';
import type { Logger } from '../logger.ts';
import type { OutputPart, Source } from '../operations/video-operation.ts';
import { planOutputs } from '../operations/video.ts';
import { agreeOnChunks } from '../operations/video/chunk-plan.ts';
import { planBatches } from '../operations/video/chunk-runs.ts';
import type { Batch } from '../operations/video/chunk-runs.ts';
import { planRuns } from '../operations/video/plan.ts';
import type { Plan } from '../operations/video/plan.ts';
import { foldersOf } from '../operations/video/run.ts';
import type { Run, RunOutput } from '../operations/video/run.ts';
import { checkPiece } from './check-piece.ts';
import type { CheckedPiece } from './check-piece.ts';
import { encodeInChunks } from './chunks.ts';
import { chunkKind } from './chunk-share.ts';
import type { ChunkShare } from './chunk-share.ts';
import { CopyFault, copies, encodeRun, hidden } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { damageIn } from './ffmpeg-failure.ts';
import { ProgressSum } from './ffmpeg-progress.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';
import { beginFinish } from './finish.ts';
import type { Follower } from './finish/follower.ts';
import { requireEncoders } from './require-encoders.ts';
import { broken } from './verify.ts';

export type ProduceRequest = Parameters<VideoEngine['produce']>[0];
export type Produced = Awaited<ReturnType<VideoEngine['produce']>>;

/** What becomes of a finished output, with all that is to be said of how it turned out. */
export type TakeOutput = (name: string, output: ProducedOutput, warnings: readonly string[]) => Promise<void>;

export interface MakingOptions {
  readonly tools: FfmpegTools;
  readonly maxSeconds: number;
  readonly maxPixels: number;
  readonly timeoutSeconds: number;
  readonly log?: Pick<Logger, 'debug' | 'warn'>;
  readonly now?: () => number;
}

export class Making {
  readonly #request: ProduceRequest;
  readonly #options: MakingOptions;
  readonly #parts: Readonly<Record<string, OutputPart>>;
  /** Of each output, below the scratch folder. */
  readonly #folders: Readonly<Record<string, string>>;
  readonly #plan: Plan;
  readonly #runs: readonly Run[];
  readonly #batches: readonly Batch[];
  readonly #source: Source;
  readonly #capabilities: Capabilities;
  readonly #place: RunPlace;
  readonly #progress: ProgressSum;
  readonly #checked = new Map<string, CheckedPiece>();
  readonly #followers = new Map<string, Follower>();
  readonly #take: TakeOutput;
  /** Of each output, how many runs and batches it still waits for. */
  readonly #left: Map<string, number>;
  #following: Promise<void> | null = null;
  readonly #warnings = new Map<string, Set<string>>();
  /** Aborts the other lane when one fails. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    request: ProduceRequest,
    source: Source,
    place: RunPlace,
    capabilities: Capabilities,
    options: MakingOptions,
    take: TakeOutput,
  ) {
    this.#request = request;
    this.#options = options;
    this.#take = take;
    this.#place = place;
    this.#source = source;
    this.#capabilities = capabilities;
    this.#parts = agreeOnChunks(planOutputs(request.outputs, source), source);
    this.#folders = foldersOf(this.#parts);
    requireEncoders(this.#parts, capabilities);
    this.#plan = planRuns(this.#parts, source);
    this.#runs = [...this.#plan.preparations, ...this.#plan.runs, ...this.#plan.stills];
    this.#batches = planBatches(this.#parts, source);
    this.#left = new Map(Object.keys(this.#parts).map((name) => [name, 0]));
    for (const names of [
      ...this.#runs.map(namesIn),
      ...this.#batches.map(({ members }) => namesOf(members)),
    ]) {
      for (const name of names) this.#left.set(name, (this.#left.get(name) ?? 0) + 1);
    }
    this.#progress = new ProgressSum([...this.#runs, ...this.#batches], options.now ?? Date.now);
    this.#signal = AbortSignal.any([request.signal, this.#stop.signal]);
  }

  get copies(): boolean {
    return this.#runs.some(copies);
  }

  /** Hands each output over as soon as nothing is left to be done for it. */
  async run(): Promise<void> {
    await this.#begin();
    try {
      // What only the source's facts are needed for.
      for (const [name, left] of this.#left) if (left === 0) await this.#finish(name);
      await this.#lane(this.#plan.preparations);
      await this.#beside(this.#lane(this.#plan.runs), this.#lane(this.#plan.stills), this.#inChunks());
    } finally {
      await this.#following;
    }
  }

  /** Nothing of ours may be running when the caller hears of a failure. */
  async #beside(...lanes: readonly Promise<void>[]): Promise<void> {
    try {
      await Promise.all(lanes);
    } catch (error) {
      this.#stop.abort(error);
      await Promise.allSettled(lanes);
      throw error;
    }
  }

  async #begin(): Promise<void> {
    for (const [name, folder] of Object.entries(this.#folders)) {
      const part = this.#parts[name] as OutputPart;
      const path = join(this.#place.scratch, folder);
      await mkdir(path, { recursive: true });
      const follower = beginFinish(part, {
        part,
        folder: path,
        signal: this.#signal,
        publish: async (file) => {
          this.#signal.throwIfAborted();
          await this.#request.publish?.(name, file);
        },
      });
      this.#followers.set(name, follower);
    }
  }

  /** Lets those who work beside the encode look at what there is. A look that fails fails the job. */
  #follow(): void {
    if (this.#following !== null) return;
    const polls = [...this.#followers.values()].map(async (follower) => follower.poll?.());
    // All of them: none may publish anything any more when the caller hears of a failure.
    this.#following = Promise.allSettled(polls).then((ends) => {
      const failed = ends.find((each) => each.status === 'rejected');
      if (failed === undefined) this.#following = null;
      else this.#stop.abort(failed.reason);
    });
  }

  async #lane(runs: readonly Run[]): Promise<void> {
    for (const run of runs) await this.#make(run, this.#runs.indexOf(run));
  }

  async #inChunks(): Promise<void> {
    const { chunks: shelf } = this.#request;
    const { video } = this.#source;
    if (shelf === undefined || video === null) return;
    const share = this.#share();
    for (const [index, batch] of this.#batches.entries()) {
      const number = this.#runs.length + index;
      const joined = await encodeInChunks(batch, {
        ...this.#context(),
        shelf,
        version: share?.kind ?? this.#capabilities.ffmpeg ?? '',
        share,
        video: video.index,
        check: (output, damage) => this.#check(output, damage),
        onProgress: (done, speed, isFound) =>
          this.#request.onProgress(this.#progress.reach(number, done, speed, isFound)),
      });
      for (const { output, checked } of joined) {
        this.#warn(output.name, checked.warnings);
        this.#checked.set(output.file, checked);
      }
      this.#request.onProgress(this.#progress.finish(number));
      await this.#done(namesOf(batch.members));
    }
  }

  #share(): ChunkShare | undefined {
    const { share: ask } = this.#request;
    const { sharesChunks, mayCopy, findings } = this.#source;
    const kind = chunkKind(this.#capabilities);
    return ask && sharesChunks && kind !== null ? { ask, kind, mayCopy, findings } : undefined;
  }

  async #make(run: Run, number: number): Promise<void> {
    const log = await encodeRun(run, this.#context(), (block) => {
      this.#request.onProgress(this.#progress.update(number, block));
      this.#follow();
    });
    const hide = hidden(run);
    const damage = log === null ? null : damageIn(log, hide);
    // Each is a process; a job of fifty outputs must not start fifty at once.
    const checks: CheckedPiece[] = [];
    for (const pair of inPairs(log === null ? [] : run.outputs)) {
      checks.push(...(await Promise.all(pair.map((output) => this.#check(output, damage)))));
    }
    if (run.fallback !== null && (log === null || checks.some(({ fault }) => fault === EMPTY))) {
      return this.#make(run.fallback, number);
    }
    if (damage !== null && copies(run)) throw new CopyFault(damage);
    for (const [index, checked] of checks.entries()) {
      this.#accept(run, run.outputs[index] as RunOutput, checked, damage);
    }
    this.#request.onProgress(this.#progress.finish(number));
    await this.#done(namesIn(run));
  }

  #context(): RunContext {
    const { tools, timeoutSeconds, log } = this.#options;
    return { tools, timeoutSeconds, place: this.#place, signal: this.#signal, ...(log && { log }) };
  }

  async #check({ file, piece }: RunOutput, damage: string | null): Promise<CheckedPiece> {
    const { tools, maxPixels } = this.#options;
    const path = join(this.#place.scratch, file);
    return checkPiece(piece, path, damage, { tools, maxPixels, signal: this.#signal });
  }

  #accept(run: Run, { name, file, piece }: RunOutput, checked: CheckedPiece, damage: string | null): void {
    const { fault, warnings } = checked;
    if (fault !== null) {
      if (copies(run)) throw new CopyFault(fault);
      throw broken(name, fault, damage);
    }
    // What a still of the same run would say, the clip says better: it knows where the source breaks off.
    const clipSpeaks = piece.expects.kind === 'still' && run.outputs.length > 1;
    if (!clipSpeaks) this.#warn(name, warnings);
    this.#checked.set(file, checked);
  }

  #warn(name: string, warnings: readonly string[]): void {
    const known = this.#warnings.get(name) ?? new Set();
    for (const warning of warnings) known.add(warning);
    this.#warnings.set(name, known);
  }

  /** A run or a batch is done: whoever waited for nothing else is finished. */
  async #done(names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      const left = (this.#left.get(name) ?? 0) - 1;
      this.#left.set(name, left);
      if (left === 0) await this.#finish(name);
    }
  }

  async #finish(name: string): Promise<void> {
    const follower = this.#followers.get(name);
    // Its last look must not meet another one.
    this.#followers.delete(name);
    await this.#following;
    this.#signal.throwIfAborted();
    const part = this.#parts[name] as OutputPart;
    const folder = this.#folders[name] ?? '';
    const pieces = part.pieces.flatMap(({ file }) => this.#checked.get(`${folder}/${file}`) ?? []);
    const finished = await follower?.end(pieces);
    const [first] = finished?.files ?? [];
    if (finished === undefined || first === undefined) throw broken(name, 'it has no files', null);
    this.#warn(name, finished.warnings ?? []);
    const file = pieces[0]?.files[0];
    const size = finished.size ?? file?.size ?? null;
    const output: ProducedOutput = {
      files: finished.files,
      mediaType: first.mediaType,
      bytes: finished.bytes ?? finished.files.reduce((sum, { bytes }) => sum + bytes, 0),
      width: size?.width ?? null,
      height: size?.height ?? null,
      durationSeconds: finished.durationSeconds ?? file?.durationSeconds ?? null,
      decisions: [...(this.#plan.decisions[name] ?? part.decisions), ...(finished.decisions ?? [])],
    };
    await this.#take(name, output, [...(this.#warnings.get(name) ?? [])]);
  }
}

const EMPTY = 'it is empty';

const namesOf = (things: readonly { readonly name: string }[]): ReadonlySet<string> =>
  new Set(things.map(({ name }) => name));

const namesIn = ({ outputs }: Run): ReadonlySet<string> => namesOf(outputs);

function inPairs<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 2) }, (_, pair) =>
    items.slice(2 * pair, 2 * pair + 2),
  );
}
