// One part that this process has taken: done by the handler, and what its failure means to BullMQ.

import type { Job as Ticket } from 'bullmq';
import { NoHelp } from '../contracts.ts';
import type { PartHandler } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import { isOver, NO_HELP } from './bullmq-part-names.ts';
import type { PartData } from './bullmq-part-names.ts';
import type { Slot } from './bullmq-slots.ts';
import { setbackPause } from './changes.ts';
import type { QueueLog } from './runner.ts';

export interface PartRun {
  readonly ticket: Ticket;
  readonly slot: Slot;
  /** Of BullMQ's lock. */
  readonly token: string;
  readonly part: PartData;
  readonly controller: AbortController;
}

interface RunOptions {
  readonly maxAttempts: number;
  readonly read: (id: string) => Promise<Job | undefined>;
  /** Whether whoever shared parts of the job has not taken them back. */
  readonly isWanted: (jobId: string) => Promise<boolean>;
  readonly log: QueueLog;
}

/** Milliseconds between two reports of a part's progress. */
const REPORT_EVERY = 1000;
/** A part that no machine had room for so often, within some minutes, is left to whoever shared it: the job has its room there. */
const MOST_WITHOUT_ROOM = 10;
/** Milliseconds after which what stands in the way of a part is its failure. */
const SET_BACK_FOR = 86_400_000;

/** Nothing could be done for a part, through no fault of its own: it waits, its attempt not spent. */
interface SetBack {
  /** Milliseconds that it waits. */
  readonly pause: number;
}

/** Undefined: done, stopped or not wanted. An error as BullMQ wants it; its message tells whoever shared the part. */
export async function attemptPart(
  { ticket, part, controller }: PartRun,
  handler: PartHandler,
  { maxAttempts, read, isWanted, log }: RunOptions,
): Promise<Error | SetBack | undefined> {
  const { signal } = controller;
  try {
    const job = await read(part.job);
    if (job === undefined || isOver(job) || !(await isWanted(part.job))) return undefined;
    if (ticket.deferredFailure !== undefined && ticket.deferredFailure !== '') throw exhausted(maxAttempts);
    signal.throwIfAborted();
    let reported = -REPORT_EVERY;
    await handler.run(
      { name: part.name, task: part.task, job },
      {
        signal,
        progress(progress, speed) {
          if (performance.now() - reported < REPORT_EVERY || signal.aborted) return;
          reported = performance.now();
          // Only people wait for it.
          ticket.updateProgress([progress, speed]).catch(() => undefined);
        },
      },
    );
    return undefined;
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error instanceof NoHelp) return final(NO_HELP);
    const problem = Problem.from(error);
    // A turn that is given back is started, and not made.
    const times = Math.max(1, ticket.attemptsStarted - ticket.attemptsMade);
    if (problem.code === 'storage_full' && times > MOST_WITHOUT_ROOM) return final(NO_HELP);
    if (problem.kind.jobWaits === true && Date.now() - ticket.timestamp < SET_BACK_FOR) {
      log.warn(
        { err: error, job: part.job, part: part.name },
        'nothing can be done for a part now: it waits',
      );
      return { pause: setbackPause(times) };
    }
    if (problem.status >= 500) log.error({ err: error, job: part.job, part: part.name }, 'a part failed');
    const told = JSON.stringify(problem.toDocument());
    return problem.kind.retryJob === true ? new Error(told) : final(told);
  }
}

/** BullMQ does not try it again. */
function final(message: string): Error {
  return Object.assign(new Error(message), { name: 'UnrecoverableError' });
}

function exhausted(attempts: number): Problem {
  return new Problem(
    'attempts_exhausted',
    `The process that worked on a part of this job died ${attempts} times. The source may be what kills it; check it and send it again.`,
  );
}
