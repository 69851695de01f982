// Parts of jobs as BullMQ children: any machine of the fleet takes them, whoever shared them waits for their ends.

import { Queue } from 'bullmq';
import type { JobContext, LaneStanding, PartHandler } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { bullPrefix, partQueue } from './bullmq-part-names.ts';
import { startPartHost } from './bullmq-part-host.ts';
import type { PartHost, PartHostOptions } from './bullmq-part-host.ts';
import { sharePartsOf } from './bullmq-part-share.ts';

export type PartsOptions = PartHostOptions;

export interface BullParts {
  /** `JobContext.share` of a running job. */
  share(job: Pick<Job, 'id' | 'priority'>, signal: AbortSignal): NonNullable<JobContext['share']>;
  /** See `JobQueue.workParts`. */
  work(handler: PartHandler, options: { readonly concurrency: number }): void;
  /** Gives the parts of a dead process back at once, instead of after their lease. */
  abandon(owner: string): Promise<void>;
  /** See `JobQueue.parts`. */
  standing(): Promise<LaneStanding | null>;
  /** Twice is harmless. Connections are left to whoever opened them. */
  close(options?: { readonly deadline?: number }): Promise<void>;
}

/** Opens nothing until it is asked for something. */
export function bullParts(options: PartsOptions): BullParts {
  let host: PartHost | undefined;
  let asked: PartHandler | undefined;
  let queue: Queue | undefined;
  let closing: Promise<void> | undefined;
  return {
    share: (job, signal) => (parts, wanted) => sharePartsOf(job, parts, wanted, signal, options),
    work(handler, { concurrency }) {
      if (host !== undefined) throw new Error('parts are worked on already');
      asked = handler;
      host = startPartHost(handler, concurrency, options);
    },
    async abandon(owner) {
      await host?.abandon(owner);
    },
    async standing() {
      const kind = (await asked?.kind()) ?? null;
      if (kind === null) return null;
      if (queue === undefined) {
        queue = new Queue(partQueue(kind), {
          ...{ connection: options.redis, prefix: bullPrefix(options), skipVersionCheck: true },
        });
        // Calls tell themselves.
        queue.on('error', () => undefined);
      }
      const [counts, [next]] = await Promise.all([
        queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active'),
        queue.getJobs(['prioritized'], 0, 0, true),
      ]);
      const { waiting = 0, prioritized = 0, delayed = 0, active = 0 } = counts;
      // The oldest of the most urgent: what is shared together waits together.
      return {
        waiting: waiting + prioritized + delayed,
        running: active,
        oldestSince: next?.timestamp ?? null,
      };
    },
    close({ deadline } = {}) {
      closing ??= (async () => {
        await host?.close(deadline ?? 0);
        await queue?.close();
      })();
      return closing;
    },
  };
}
