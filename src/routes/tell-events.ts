// The events that one stream tells, in order: whose they are, where they begin, what is left out, what was lost.

import type { EventStream, JobEvent, JobQueue } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job } from '../jobs/job.ts';
import { encodeEvent } from '../lib/sse.ts';
import type { JobTexts } from './job-texts.ts';

interface Wanted {
  readonly tenant: string;
  /** Undefined: all of the tenant. */
  readonly jobId: string | undefined;
  /** The last event that the client knows. */
  readonly after: number | undefined;
}

interface Telling {
  readonly frames: AsyncGenerator<string, void, undefined>;
  /** The last event that was told, or passed over; undefined before it is known where to begin. */
  readonly position: () => number | undefined;
}

const LAST: ReadonlySet<JobEvent['type']> = new Set(['succeeded', 'failed', 'cancelled', 'removed']);

/** Ends with the signal, and that of one job with the job. */
export function tellEvents(
  queue: Pick<JobQueue, 'events' | 'newestEvent'>,
  texts: JobTexts,
  { tenant, jobId, after }: Wanted,
  signal: AbortSignal,
): Telling {
  let events: EventStream | undefined;
  async function* tell(): AsyncGenerator<string, void, undefined> {
    // Before the job is looked at: what happens to it in between is told, if twice.
    const newest = await queue.newestEvent();
    // A number that was never given is another database's.
    const isStrange = after !== undefined && after > newest;
    const begin = after === undefined || isStrange ? newest : after;
    events = queue.events({ after: begin, of: jobId === undefined ? { tenant } : { jobId }, signal });
    if (isStrange) yield reset(newest);
    if (jobId !== undefined && (after === undefined || isStrange)) {
      const state = await stateOf(jobId, newest, texts);
      yield* state.frames;
      if (state.isLast) return;
    }
    /** Of each job that runs: its revision when it was last told. */
    const told = new Map<string, number>();
    for await (const event of events) {
      // The client was away, or read too slowly, for longer than events are kept.
      if (event.type === 'lost') {
        yield reset(event.sequence);
        const state = jobId === undefined ? NOTHING : await stateOf(jobId, event.sequence, texts);
        yield* state.frames;
        if (state.isLast) return;
        continue;
      }
      const job = await texts.at(event);
      // A client that lags behind has seen this one: what it is told of is always the job as it is now.
      const isOld = event.type === 'progress' && told.get(event.jobId) === (job?.revision ?? 0);
      if (!isOld) yield frameOf(event, job, texts);
      const isLast = LAST.has(event.type);
      if (isLast && jobId !== undefined) return;
      if (isLast) told.delete(event.jobId);
      else told.set(event.jobId, job?.revision ?? 0);
    }
  }
  return { frames: tell(), position: () => events?.position };
}

interface State {
  readonly frames: readonly string[];
  readonly isLast: boolean;
}

const NOTHING: State = { frames: [], isLast: false };

async function stateOf(jobId: string, sequence: number, texts: JobTexts): Promise<State> {
  const job = await texts.at({ jobId, sequence });
  if (job === undefined) return { frames: [], isLast: true };
  const data = `{"type":"state","jobId":"${jobId}","at":"${new Date().toISOString()}","job":${texts.textOf(job)}}`;
  return { frames: [encodeEvent({ id: sequence, event: 'state', data })], isLast: isFinished(job) };
}

function frameOf(event: JobEvent, job: Job | undefined, texts: JobTexts): string {
  const { sequence, type, jobId, at, output } = event;
  const facts = JSON.stringify({ type, jobId, at: new Date(at).toISOString(), output });
  const text = job === undefined ? 'null' : texts.textOf(job);
  return encodeEvent({ id: sequence, event: type, data: `${facts.slice(0, -1)},"job":${text}}` });
}

function reset(position: number): string {
  const data = JSON.stringify({
    type: 'reset',
    at: new Date().toISOString(),
    detail:
      'Events between the last one that you know and this one are not kept any more. Look at your jobs anew.',
  });
  return encodeEvent({ id: position, event: 'reset', data });
}
