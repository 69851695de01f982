// Makes the outputs of one source: the planned runs, each result checked; a copy that fails its check is encoded instead.

import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProducedFile, VideoEngine } from '../contracts.ts';
import type { Logger } from '../logger.ts';
import { mainAudio, mainVideo } from '../operations/media-probe.ts';
import type { MediaProbe } from '../operations/media-probe.ts';
import type { OutputPart, Source } from '../operations/video-operation.ts';
import { planOutput } from '../operations/video.ts';
import { MAX_PIXELS } from '../operations/video/fields.ts';
import { planRuns } from '../operations/video/plan.ts';
import type { Plan, Run, RunOutput } from '../operations/video/plan.ts';
import { Problem } from '../problems.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import { ffmpegArguments } from './ffmpeg-command.ts';
import { damageIn, failureOf } from './ffmpeg-failure.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import { ProgressReader, ProgressSum } from './ffmpeg-progress.ts';
import type { FfmpegTools } from './ffmpeg-tools.ts';
import { probe } from './probe.ts';
import { checkResult } from './verify.ts';

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

/** A copy came out broken, or its source is damaged: nothing is wrong that encoding could not mend. */
class CopyFault extends Error {
  override readonly name = 'CopyFault';
}

export async function makeOutputs(
  request: ProduceRequest,
  source: MediaProbe,
  capabilities: Capabilities,
  options: MakingOptions,
): Promise<Produced> {
  let progress = 0;
  const steady: ProduceRequest = {
    ...request,
    // A second attempt begins at nothing, its watchers do not.
    onProgress(update) {
      progress = Math.max(progress, update.progress);
      request.onProgress({ ...update, progress });
    },
  };
  try {
    return await new Making(steady, source, capabilities, options, true).run();
  } catch (error) {
    if (!(error instanceof CopyFault)) throw error;
    options.log?.warn({ reason: error.message }, 'a copied stream did not pass, encoding it');
    return new Making(steady, source, capabilities, options, false).run();
  }
}

class Making {
  readonly #request: ProduceRequest;
  readonly #options: MakingOptions;
  readonly #parts: Readonly<Record<string, OutputPart>>;
  readonly #plan: Plan;
  readonly #runs: readonly Run[];
  readonly #progress: ProgressSum;
  readonly #files: Record<string, ProducedFile> = {};
  readonly #warnings = new Set<string>();
  /** Aborts the other lane when one fails. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    request: ProduceRequest,
    probed: MediaProbe,
    capabilities: Capabilities,
    options: MakingOptions,
    mayCopy: boolean,
  ) {
    const { filters } = capabilities;
    const source: Source = {
      probe: probed,
      video: mainVideo(probed),
      audio: mainAudio(probed),
      filters,
      mayCopy,
    };
    this.#request = request;
    this.#options = options;
    this.#parts = Object.fromEntries(
      Object.entries(request.outputs).map(([name, output]) => [name, planOutput(output, source)]),
    );
    requireEncoders(this.#parts, capabilities);
    this.#plan = planRuns(this.#parts, source);
    this.#runs = [...this.#plan.runs, ...this.#plan.stills];
    this.#progress = new ProgressSum(this.#runs, options.now ?? Date.now);
    this.#signal = AbortSignal.any([request.signal, this.#stop.signal]);
  }

  async run(): Promise<Produced> {
    const lanes = [this.#lane(this.#plan.runs), this.#lane(this.#plan.stills)];
    try {
      await Promise.all(lanes);
    } catch (error) {
      this.#stop.abort(error);
      // Nothing of ours may be running when the caller hears of it.
      await Promise.allSettled(lanes);
      throw error;
    }
    const files = Object.fromEntries(
      Object.keys(this.#parts).flatMap((name) => {
        const file = this.#files[name];
        return file === undefined ? [] : [[name, file]];
      }),
    );
    return { files, warnings: [...this.#warnings] };
  }

  async #lane(runs: readonly Run[]): Promise<void> {
    for (const run of runs) await this.#make(run, this.#runs.indexOf(run));
  }

  async #make(run: Run, number: number): Promise<void> {
    const log = await this.#encode(run, number);
    if (run.fallback !== null && (log === null || !(await this.#exists(run)))) {
      return this.#make(run.fallback, number);
    }
    const damage = log === null ? null : damageIn(log, hidden(run));
    if (damage !== null && this.#copies(run)) throw new CopyFault(damage);
    // Each is a process; a job of fifty outputs must not start fifty at once.
    for (const pair of inPairs(run.outputs)) {
      await Promise.all(pair.map((output) => this.#check(run, output, damage)));
    }
    this.#request.onProgress(this.#progress.finish(number));
  }

  /** Null: it failed, and there is another way. */
  async #encode(run: Run, number: number): Promise<FfmpegLog | null> {
    const { tools, log: logger, maxPixels, maxSeconds, timeoutSeconds } = this.#options;
    const { path, mediaType, scratch } = this.#request;
    const log = new FfmpegLog();
    const reader = new ProgressReader((block) => {
      if (!block.isLast) this.#request.onProgress(this.#progress.update(number, block));
    });
    // What an earlier try left must not be taken for the result of this one.
    await Promise.all(run.outputs.map(({ file }) => rm(join(scratch, file), { force: true })));
    const end = await tools.ffmpeg({
      args: ffmpegArguments(run, { path, mediaType, scratch, maxPixels, maxSeconds }),
      scratch,
      fileBytes: Math.max(...run.outputs.map(({ name }) => 2 * (this.#parts[name]?.maxBytes ?? 0))),
      signal: this.#signal,
      log,
      onProgress: (text) => reader.feed(text),
    });
    const problem = failureOf(end, log, { timeoutSeconds, hide: hidden(run) });
    if (problem === null) return log;
    logger?.debug({ code: end.code, signal: end.signal, reason: log.reason(hidden(run)) }, 'ffmpeg failed');
    const isFinal = problem.code !== 'encode_failed' && problem.code !== 'video_unreadable';
    if (run.fallback !== null && !isFinal) return null;
    if (this.#copies(run) && !isFinal) throw new CopyFault(problem.message);
    throw problem;
  }

  async #exists({ outputs }: Run): Promise<boolean> {
    const sizes = await Promise.all(outputs.map(({ file }) => this.#bytes(file)));
    return sizes.every((bytes) => bytes > 0);
  }

  async #check(run: Run, { name, file }: RunOutput, damage: string | null): Promise<void> {
    const part = this.#parts[name];
    if (part === undefined) return;
    const path = join(this.#request.scratch, file);
    const bytes = await this.#bytes(file);
    const { fault, warnings, size, durationSeconds } =
      bytes === 0 ? NOTHING : checkResult(part.expects, await this.#probe(path, part.mediaType), damage);
    if (fault !== null) {
      if (this.#copies(run)) throw new CopyFault(fault);
      throw broken(name, fault, damage);
    }
    // What a still of the same run would say, the clip says better: it knows where the source breaks off.
    const clipSpeaks = part.expects.kind === 'still' && run.outputs.length > 1;
    for (const warning of clipSpeaks ? [] : warnings) this.#warnings.add(warning);
    this.#files[name] = {
      path,
      key: file,
      mediaType: part.mediaType,
      bytes,
      width: size?.width ?? null,
      height: size?.height ?? null,
      durationSeconds,
      decisions: this.#plan.decisions[name] ?? part.decisions,
    };
  }

  async #bytes(file: string): Promise<number> {
    const found = await stat(join(this.#request.scratch, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    return found?.size ?? 0;
  }

  async #probe(path: string, mediaType: string): Promise<MediaProbe> {
    const { tools, maxPixels } = this.#options;
    try {
      // Bars may make a result larger than any source may be.
      const most = Math.max(maxPixels, MAX_PIXELS);
      return await probe({ path, mediaType, maxPixels: most }, (args, log) =>
        tools.ffprobe(args, log, this.#signal),
      );
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'video_unreadable') throw error;
      return UNREADABLE;
    }
  }

  #copies({ outputs }: Run): boolean {
    return outputs.some(({ name }) =>
      this.#parts[name]?.streams.some((stream) => stream.options['c'] === 'copy'),
    );
  }
}

const NOTHING = { fault: 'it is empty', warnings: [], size: null, durationSeconds: null };
const UNREADABLE: MediaProbe = {
  container: 'unknown',
  durationSeconds: null,
  bitRate: null,
  streams: 0,
  video: [],
  audio: [],
};

function broken(name: string, fault: string, damage: string | null): Problem {
  if (damage !== null) {
    return new Problem(
      'video_unreadable',
      `The source is damaged (${damage}), and output "${name}" could not be made of it: ${fault}.`,
    );
  }
  return new Problem(
    'result_broken',
    `Output "${name}" did not pass its check: ${fault}. Nothing was published.`,
  );
}

function requireEncoders(parts: Readonly<Record<string, OutputPart>>, capabilities: Capabilities): void {
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

/** Our names of files, which mean nothing to anybody else. */
function hidden({ outputs }: Run): string[] {
  return outputs.map(({ file }) => file);
}

function inPairs<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / 2) }, (_, pair) =>
    items.slice(2 * pair, 2 * pair + 2),
  );
}
