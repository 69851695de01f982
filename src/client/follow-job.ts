// Waiting for a job: by its events, and where those do not come through (a proxy, an old server), by long polls.

import type { JobView } from '../jobs/job-view.ts';
import { MediamillError } from './error.ts';
import { followEvents } from './event-stream.ts';
import type { CallOptions, Transport } from './transport.ts';

export interface WaitOptions extends CallOptions {
  /** Told each state of the job that is seen, the last too. */
  readonly onProgress?: ((job: JobView) => void) | undefined;
}

/** What an event carries. */
export interface JobEvent {
  /** Null of type `reset`: events before it are not kept any more, so look at your jobs anew. */
  readonly jobId: string | null;
  /** ISO 8601. */
  readonly at: string;
  readonly type: string;
  /** Of type `output`: which one is there now. */
  readonly output?: string;
  /** Null where it is gone meanwhile. */
  readonly job: JobView | null;
}

/** Seconds of one long poll: shorter than the time-out of common proxies. */
const POLL_SECONDS = 25;

export const hasEnded = ({ status }: Pick<JobView, 'status'>): boolean =>
  status === 'succeeded' || status === 'failed' || status === 'cancelled';

/** The job at its end, whatever that is. Rejects with `job_not_found` where it is removed meanwhile. */
export async function waitForJob(
  transport: Transport,
  id: string,
  { onProgress, signal }: WaitOptions = {},
): Promise<JobView> {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  try {
    for await (const { data } of followEvents(transport, `${path}/events`, { signal })) {
      const { job = null, type } = JSON.parse(data) as Partial<JobEvent>;
      // The poll below tells what became of it.
      if (type === 'removed') break;
      if (job === null) continue;
      onProgress?.(job);
      if (hasEnded(job)) return job;
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof MediamillError) || MEANT.has(error.code)) throw error;
  }
  for (;;) {
    const job = await transport.json<JobView>(path, { query: { wait: POLL_SECONDS }, signal });
    onProgress?.(job);
    if (hasEnded(job)) return job;
  }
}

/** What no other way of asking would change. */
const MEANT: ReadonlySet<string> = new Set(['job_not_found', 'unauthenticated', 'forbidden', 'unreachable']);
