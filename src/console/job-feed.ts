// All jobs that this page knows of, kept as they are by the server's events; by polling where there are none.

import { ApiProblem } from './api.ts';
import type { Api, Job } from './api.ts';

export interface JobFeed {
  get(id: string): Job | undefined;
  /** Newest first. */
  all(): readonly Job[];
  /** One more page of older jobs. False: there is none. */
  more(status?: Job['status']): Promise<boolean>;
  /** Asks for one job. Rejects ApiProblem. */
  load(id: string): Promise<Job>;
  put(job: Job): void;
  forget(id: string): void;
  /** Called after each change. Returns the function that ends that. */
  onChange(listener: () => void): () => void;
  /** How changes arrive. */
  readonly line: 'events' | 'polling' | 'closed';
  open(): void;
  close(): void;
}

interface Told {
  readonly jobId: string;
  readonly type: string;
  readonly job: Job | null;
}

const EVENTS = [
  'queued',
  'started',
  'progress',
  'output',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
  'removed',
];
const POLL_MS = 2000;
const RETRY_EVENTS_MS = 30_000;
const PAGE = 50;
const MOST = 2000;

export const isOver = ({ status }: Pick<Job, 'status'>): boolean =>
  status === 'succeeded' || status === 'failed' || status === 'cancelled';

export function createJobFeed(api: Api): JobFeed {
  const jobs = new Map<string, Job>();
  const gone = new Set<string>();
  const listeners = new Set<() => void>();
  /** Of each listing, where its next page begins. */
  const cursors = new Map<string, string | null>();
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let line: JobFeed['line'] = 'closed';
  /** Of whoever is signed in: an answer to somebody else is not taken. */
  let visit = 0;
  const changed = (): void => listeners.forEach((listener) => listener());

  /** An answer may be older than an event that overtook it: what is over stays over, and what is gone stays gone. */
  const accept = (job: Job): void => {
    const known = jobs.get(job.id);
    if (gone.has(job.id) || (known !== undefined && isOver(known) && !isOver(job))) return;
    jobs.set(job.id, job);
    // A page that is open for days would else hold all jobs of these days.
    const [oldest] = jobs.size > MOST ? jobs.keys() : [];
    if (oldest !== undefined) jobs.delete(oldest);
  };
  const put = (job: Job): void => {
    accept(job);
    changed();
  };
  const forget = (id: string): void => {
    gone.add(id);
    jobs.delete(id);
    changed();
  };
  async function refresh(): Promise<void> {
    const began = visit;
    const page = await api.get<{ jobs: readonly Job[] }>(`/v1/jobs?limit=${PAGE}`);
    if (visit !== began) return;
    for (const job of page.jobs) accept(job);
    const seen = new Set(page.jobs.map(({ id }) => id));
    // Of older ones only those that still change are asked for by name.
    const others = [...jobs.values()].filter((job) => !isOver(job) && !seen.has(job.id));
    await Promise.all(others.map(({ id }) => load(id).catch(() => undefined)));
    changed();
  }
  async function load(id: string): Promise<Job> {
    const began = visit;
    try {
      const job = await api.get<Job>(`/v1/jobs/${encodeURIComponent(id)}`);
      if (visit === began) put(job);
      return job;
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 404) forget(id);
      throw error;
    }
  }
  async function poll(): Promise<void> {
    const problem = await refresh().catch((error: unknown) => error);
    // A key that may not look at jobs may not in two seconds either.
    if (problem instanceof ApiProblem && problem.status === 403) return;
    if (line === 'polling') timer = setTimeout(() => void poll(), POLL_MS);
  }
  function take(message: Event): void {
    const { jobId, type, job } = JSON.parse((message as MessageEvent).data as string) as Told;
    if (type === 'removed') forget(jobId);
    else if (job !== null) put(job);
    else void load(jobId).catch(() => undefined);
  }
  function listen(): void {
    clearTimeout(timer);
    source?.close();
    source = new EventSource('/v1/events');
    for (const type of EVENTS) source.addEventListener(type, take);
    // Some were missed: what is shown is asked for anew.
    source.addEventListener('reset', () => void refresh().catch(() => undefined));
    source.addEventListener('open', () => {
      line = 'events';
      // What happened before the line was open, and before it was open again.
      void refresh().catch(() => undefined);
    });
    source.addEventListener('error', () => {
      // The browser itself goes on trying after a broken line; it gives up where the answer is no stream.
      if (source?.readyState !== EventSource.CLOSED || line === 'closed') return;
      line = 'polling';
      void poll();
      setTimeout(() => {
        if (line === 'polling') listen();
      }, RETRY_EVENTS_MS);
    });
  }

  return {
    get: (id) => jobs.get(id),
    all: () => [...jobs.values()].sort((a, b) => b.createdAt.localeCompare(a.createdAt)),
    async more(status) {
      const listing = status ?? 'all';
      const after = cursors.get(listing);
      if (after === null) return false;
      const query = new URLSearchParams({
        limit: `${PAGE}`,
        ...(status !== undefined && { status }),
        ...(after !== undefined && { after }),
      });
      const began = visit;
      const page = await api.get<{ jobs: readonly Job[]; next: string | null }>(`/v1/jobs?${query}`);
      if (visit !== began) return false;
      cursors.set(listing, page.next);
      for (const job of page.jobs) accept(job);
      changed();
      return page.next !== null;
    },
    load,
    put,
    forget,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get line() {
      return line;
    },
    open() {
      if (line !== 'closed') return;
      line = 'polling';
      listen();
    },
    close() {
      line = 'closed';
      visit++;
      clearTimeout(timer);
      source?.close();
      jobs.clear();
      gone.clear();
      cursors.clear();
    },
  };
}
