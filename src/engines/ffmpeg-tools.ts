// FFmpeg and ffprobe as this machine has them: found, guarded, run.

import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { Readable } from 'node:stream';
import type { FfmpegOutcome, Metrics } from '../metrics/metrics.ts';
import { Problem } from '../problems.ts';
import { guarded, hardLimits, NO_GUARDS } from './child-guard.ts';
import type { ChildLimits, GuardTools } from './child-guard.ts';
import { runChild } from './child.ts';
import type { ChildEnd } from './child.ts';
import { readCapabilities } from './ffmpeg-capabilities.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import { findHardware } from './ffmpeg-hardware.ts';
import { FfmpegLog } from './ffmpeg-log.ts';

const GiB = 1024 ** 3;
const PROBE_TIMEOUT_MS = 15_000;
const PROBE_OUTPUT_BYTES = 4 * 1024 * 1024;
/** Characters of a line of ffprobe's that are kept. */
const MAX_LINE = 2000;
const QUESTION_TIMEOUT_MS = 10_000;

export interface ToolPaths {
  readonly ffmpegPath: string;
  readonly ffprobePath: string;
  /** Wall clock of one FFmpeg run. */
  readonly timeoutSeconds: number;
  /** Counts the runs. */
  readonly metrics?: Pick<Metrics, 'ffmpegBegins' | 'mediaSeconds'>;
}

export interface FfmpegRun {
  readonly args: readonly string[];
  readonly scratch: string;
  /** No file that it writes may grow past it. */
  readonly fileBytes: number;
  readonly signal: AbortSignal;
  readonly log: Pick<FfmpegLog, 'feed' | 'end'>;
  readonly onProgress: (text: string) => void;
  /** Takes what it writes to standard output, as it comes. */
  readonly onStdout?: (stdout: Readable) => void;
}

interface Guard {
  readonly tools: GuardTools;
  readonly hard: Partial<ChildLimits>;
}

export class FfmpegTools {
  readonly #paths: ToolPaths;
  #guard: Promise<Guard> | undefined;
  #capabilities: Promise<Capabilities> | undefined;
  #hardware: Promise<ReadonlySet<string>> | undefined;

  constructor(paths: ToolPaths) {
    this.#paths = paths;
  }

  /** Asked once; again only as long as one of the two is not there. */
  capabilities(): Promise<Capabilities> {
    this.#capabilities ??= this.#ask().then((found) => {
      if (found.ffmpeg === null || found.ffprobe === null) this.#capabilities = undefined;
      return found;
    });
    return this.#capabilities;
  }

  /** The hardware encoders that work here, by FFmpeg's names. Tried once, bounded as every encode is. */
  hardware(): Promise<ReadonlySet<string>> {
    this.#hardware ??= findHardware(
      () => answer(this.#paths.ffmpegPath, ['-hide_banner', '-encoders']),
      async (args) => {
        const { code } = await this.#run(this.#paths.ffmpegPath, args, new FfmpegLog(), {
          signal: new AbortController().signal,
          timeoutMs: QUESTION_TIMEOUT_MS,
          fileBytes: 0,
        });
        return code === 0;
      },
    );
    return this.#hardware;
  }

  /** So many seconds of media were written by a run that went well. */
  made(seconds: number): void {
    this.#paths.metrics?.mediaSeconds.add(seconds);
  }

  async #ask(): Promise<Capabilities> {
    const { ffmpegPath, ffprobePath } = this.#paths;
    // Looked for at the same time, so that the first job need not wait for it.
    this.#guard ??= findGuard();
    const [ffmpeg, ffprobe, encoders, filters] = await Promise.all([
      answer(ffmpegPath, ['-version']),
      answer(ffprobePath, ['-version']),
      answer(ffmpegPath, ['-hide_banner', '-encoders']),
      answer(ffmpegPath, ['-hide_banner', '-filters']),
    ]);
    return readCapabilities({ ffmpeg, ffprobe, encoders, filters });
  }

  /** Rejects `encoder_missing`, or with the signal's reason; any other end is for the caller to judge. */
  async ffmpeg({
    args,
    scratch,
    fileBytes,
    signal,
    log,
    onProgress,
    onStdout,
  }: FfmpegRun): Promise<ChildEnd> {
    const { ffmpegPath, timeoutSeconds } = this.#paths;
    return this.#run(ffmpegPath, args, log, {
      cwd: scratch,
      signal,
      timeoutMs: timeoutSeconds * 1000,
      onProgress,
      fileBytes,
      ...(onStdout && { onStdout }),
    });
  }

  /** As `ffmpeg`, with what it prints. */
  async ffprobe(args: readonly string[], log: FfmpegLog, signal: AbortSignal): Promise<ChildEnd> {
    return this.#run(this.#paths.ffprobePath, args, log, {
      signal,
      timeoutMs: PROBE_TIMEOUT_MS,
      maxOutput: PROBE_OUTPUT_BYTES,
      fileBytes: 0,
    });
  }

  /**
   * As `ffprobe`, for questions about every packet: each line is given away as it comes and may be any number of them,
   * and it may take as long as a run. `onLine` must not throw.
   */
  async ffprobeLines(
    args: readonly string[],
    signal: AbortSignal,
    onLine: (line: string) => void,
  ): Promise<ChildEnd> {
    return this.#run(this.#paths.ffprobePath, args, new FfmpegLog(), {
      signal,
      timeoutMs: this.#paths.timeoutSeconds * 1000,
      onStdout: (stdout) => readLines(stdout, onLine),
      fileBytes: 0,
    });
  }

  async #run(
    program: string,
    args: readonly string[],
    log: Pick<FfmpegLog, 'feed' | 'end'>,
    { fileBytes, ...how }: Omit<Parameters<typeof runChild>[0], 'command'> & { fileBytes: number },
  ): Promise<ChildEnd> {
    const { tools, hard } = await (this.#guard ??= findGuard());
    const cores = availableParallelism();
    const limits: ChildLimits = {
      // A wall behind the wall clock.
      cpuSeconds: (how.timeoutMs / 1000) * cores + 60,
      // Address space, of which every thread reserves more than it uses.
      memoryBytes: Math.max(4 * GiB, totalmem()) + cores * 0.5 * GiB,
      fileBytes,
      openFiles: 256,
    };
    const command = guarded({ program, args }, tools, limits, hard);
    const { metrics, ffprobePath } = this.#paths;
    const ended = metrics?.ffmpegBegins(program === ffprobePath ? 'ffprobe' : 'ffmpeg');
    let outcome: FfmpegOutcome = 'missing';
    let end: ChildEnd;
    try {
      end = await runChild({ ...how, command, onStderr: (text) => log.feed(text) }).catch(notStarted);
      outcome = outcomeOf(end);
    } finally {
      ended?.(outcome);
    }
    log.end();
    if (end.stopped === 'aborted') how.signal.throwIfAborted();
    // The wrapping tools say so by these codes when they cannot start the program.
    if (end.code === 126 || end.code === 127) throw missing();
    return end;
  }
}

function outcomeOf({ code, signal, stopped }: ChildEnd): FfmpegOutcome {
  if (stopped !== null) return stopped === 'timeout' ? 'timeout' : 'stopped';
  if (code === 126 || code === 127) return 'missing';
  if (signal !== null) return 'killed';
  return code === 0 ? 'succeeded' : 'failed';
}

function readLines(stdout: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) onLine(line);
  });
  stdout.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}

function notStarted(error: NodeJS.ErrnoException): never {
  if (error.code === 'ENOENT' || error.code === 'EACCES') throw missing(error);
  throw error;
}

function missing(cause?: unknown): Problem {
  return new Problem(
    'encoder_missing',
    'FFmpeg cannot be started on the server. The operator finds out more by running `npm run doctor`.',
    { cause },
  );
}

/** What a command prints, or null if it cannot be run to a good end. */
async function answer(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { code, stdout } = await runChild({
      command: { program, args },
      signal: new AbortController().signal,
      timeoutMs: QUESTION_TIMEOUT_MS,
      maxOutput: PROBE_OUTPUT_BYTES,
    });
    return code === 0 ? stdout : null;
  } catch {
    return null;
  }
}

/** Tries each tool with what it will be used for. */
async function findGuard(): Promise<Guard> {
  const hard = hardLimits(await readFile('/proc/self/limits', 'utf8').catch(() => ''));
  const works = async (tools: Partial<GuardTools>): Promise<boolean> => {
    const limits = { cpuSeconds: 60, memoryBytes: 4 * GiB, fileBytes: 0, openFiles: 64 };
    const trial = guarded({ program: 'true', args: [] }, { ...NO_GUARDS, ...tools }, limits, hard);
    return (await answer(trial.program, trial.args)) !== null;
  };
  const [setpriv, prlimit, nice] = await Promise.all([
    works({ setpriv: true }),
    works({ prlimit: true }),
    works({ nice: true }),
  ]);
  return { tools: { setpriv, prlimit, nice }, hard };
}
