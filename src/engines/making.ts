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
import { Problem } from '../problems.ts';
import { checkPiece } from './check-piece.ts';
import type { CheckedPiece } from './check-piece.ts';
import { encodeInChunks } from './chunks.ts';
import { CopyFault, copies, encodeRun, hidden } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { damageIn } from './ffmpeg-failure.ts';
import { ProgressSum } from './ffmpeg-progress.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';
import { beginFinish } from './finish.ts';
import type { Follower } from './finish/follower.ts';
import { broken } from './verify.ts';

export type ProduceRequest = Parameters<VideoEngine['produce']>[0];
export type Produced = Awaited<ReturnType<VideoEngine['produce']>>;

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
  /** FFmpeg's. */
  readonly #version: string;
  readonly #place: RunPlace;
  readonly #progress: ProgressSum;
  readonly #checked = new Map<string, CheckedPiece>();
  readonly #followers = new Map<string, Follower>();
  #following: Promise<void> | null = null;
  readonly #warnings = new Set<string>();
  /** Aborts the other lane when one fails. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    request: ProduceRequest,
    source: Source,
    place: RunPlace,
    capabilities: Capabilities,
    options: MakingOptions,
  ) {
    this.#request = request;
    this.#options = options;
    this.#place = place;
    this.#source = source;
    this.#version = capabilities.ffmpeg ?? '';
    this.#parts = agreeOnChunks(planOutputs(request.outputs, source));
    this.#folders = foldersOf(this.#parts);
    requireEncoders(this.#parts, capabilities);
    this.#plan = planRuns(this.#parts, source);
    this.#runs = [...this.#plan.preparations, ...this.#plan.runs, ...this.#plan.stills];
    this.#batches = planBatches(this.#parts, source);
    this.#progress = new ProgressSum([...this.#runs, ...this.#batches], options.now ?? Date.now);
    this.#signal = AbortSignal.any([request.signal, this.#stop.signal]);
  }

  get copies(): boolean {
    return this.#runs.some(copies);
  }

  async run(): Promise<Produced> {
    await this.#begin();
    try {
      await this.#lane(this.#plan.preparations);
      await this.#beside(this.#lane(this.#plan.runs), this.#lane(this.#plan.stills), this.#inChunks());
    } finally {
      await this.#following;
    }
    const outputs: Record<string, ProducedOutput> = {};
    for (const name of Object.keys(this.#parts)) outputs[name] = await this.#finish(name);
    return { outputs, warnings: [...this.#warnings] };
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
    for (const [index, batch] of this.#batches.entries()) {
      const number = this.#runs.length + index;
      const joined = await encodeInChunks(batch, {
        ...this.#context(),
        shelf,
        version: this.#version,
        video: video.index,
        check: (output, damage) => this.#check(output, damage),
        onProgress: (done, speed, isFound) =>
          this.#request.onProgress(this.#progress.reach(number, done, speed, isFound)),
      });
      for (const { output, checked } of joined) {
        for (const warning of checked.warnings) this.#warnings.add(warning);
        this.#checked.set(output.file, checked);
      }
      this.#request.onProgress(this.#progress.finish(number));
    }
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
    for (const warning of clipSpeaks ? [] : warnings) this.#warnings.add(warning);
    this.#checked.set(file, checked);
  }

  async #finish(name: string): Promise<ProducedOutput> {
    const part = this.#parts[name] as OutputPart;
    const folder = this.#folders[name] ?? '';
    const pieces = part.pieces.flatMap(({ file }) => this.#checked.get(`${folder}/${file}`) ?? []);
    const finished = await this.#followers.get(name)?.end(pieces);
    const [first] = finished?.files ?? [];
    if (finished === undefined || first === undefined) throw broken(name, 'it has no files', null);
    for (const warning of finished.warnings ?? []) this.#warnings.add(warning);
    const file = pieces[0]?.files[0];
    const size = finished.size ?? file?.size ?? null;
    return {
      files: finished.files,
      mediaType: first.mediaType,
      bytes: finished.bytes ?? finished.files.reduce((sum, { bytes }) => sum + bytes, 0),
      width: size?.width ?? null,
      height: size?.height ?? null,
      durationSeconds: finished.durationSeconds ?? file?.durationSeconds ?? null,
      decisions: [...(this.#plan.decisions[name] ?? part.decisions), ...(finished.decisions ?? [])],
    };
  }
}

const EMPTY = 'it is empty';

export function requireEncoders(
  parts: Readonly<Record<string, OutputPart>>,
  capabilities: Capabilities,
): void {
  for (const [name, { encoders }] of Object.entries(parts)) {
    const lacking = encoders.filter((encoder) => !capabilities.encoders.includes(encoder));
    if (lacking.length > 0) {
      throw new Problem(
        'encoder_missing',
        `Output "${name}" needs the encoder ${lacking.join(' and ')}, which the server's FFmpeg lacks. Ask for another format.`,
      );
    }
  }
}

function inPairs<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 2) }, (_, pair) =>
    items.slice(2 * pair, 2 * pair + 2),
  );
}
