// What a command of the CLI is, and how it says that something is wrong.

import type { JobView, Mediamill } from '../client/mediamill.ts';
import type { Arguments } from './arguments.ts';
import type { Terminal } from './terminal.ts';

export interface CommandContext {
  readonly client: Mediamill;
  readonly given: Arguments;
  readonly terminal: Terminal;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** A job that the command has begun: Ctrl-C cancels it. Null: it has ended. */
  readonly began: (job: string | null) => void;
}

export interface Command {
  readonly name: string;
  /** Behind the name in its usage line. */
  readonly takes: string;
  readonly summary: string;
  /** Lines below its usage. */
  readonly help: readonly string[];
  /** Most words behind its name. Unless told it looks itself. */
  readonly words?: number;
  /** All `--name` that it knows beside those of all. Unless told the server judges them. */
  readonly options?: readonly string[];
  /** What `--json` prints. In words it prints by itself, through the terminal. */
  run(context: CommandContext): Promise<unknown>;
}

/** The command line is not right: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The job has not succeeded: exit code 1. */
export class FailedJob extends Error {
  override readonly name = 'FailedJob';
  readonly job: JobView;
  constructor(job: JobView) {
    const why = job.problem === null ? '' : `: ${job.problem.detail} (${job.problem.code})`;
    super(`The job ${job.id} ${job.status === 'cancelled' ? 'was cancelled' : 'has failed'}${why}`);
    this.job = job;
  }
}
