// A client of a fleet's host: sends image jobs, waits, fetches, removes, follows events.

import type { JobView } from '../../src/jobs/job-view.ts';
import { call } from '../call.ts';
import { check, checkEqual } from '../check.ts';

/** Requests that are under way at once. */
const AT_ONCE = 3;

export interface Following extends AsyncDisposable {
  /** So far, on one stream. */
  events(): number;
}

export class FleetClient {
  readonly #address: string;
  readonly #signal: AbortSignal;

  constructor(address: string, signal: AbortSignal) {
    this.#address = address;
    this.#signal = signal;
  }

  /** Image jobs, each waited for by long polls. */
  async jobs(count: number, photo: Uint8Array<ArrayBuffer>): Promise<readonly JobView[]> {
    return each(count, async () => {
      const accepted = await this.#json<JobView>('/v1/images?width=800', 202, {
        method: 'POST',
        body: new Blob([photo]),
        headers: { prefer: 'respond-async' },
      });
      let job = accepted;
      while (job.finishedAt === null) job = await this.#json<JobView>(`/v1/jobs/${accepted.id}?wait=30`, 200);
      check(job.status === 'succeeded', `a job ${job.status}: ${JSON.stringify(job.problem)}`);
      return job;
    });
  }

  /** The results of jobs. */
  async fetched(jobs: readonly JobView[]): Promise<void> {
    await each(jobs.length, async (at) => {
      const { url = '', bytes } = jobs[at]?.outputs[0] ?? {};
      const answer = await call(`${this.#address}${url}`, this.#signal);
      checkEqual('bytes of a result', (await answer.arrayBuffer()).byteLength, bytes);
    });
  }

  async removed(jobs: readonly JobView[]): Promise<void> {
    await each(jobs.length, async (at) => {
      const answer = await call(`${this.#address}/v1/jobs/${jobs[at]?.id}`, this.#signal, {
        method: 'DELETE',
      });
      await answer.arrayBuffer();
      checkEqual('the removal of a job', answer.status, 204);
    });
  }

  async polled(id: string, count: number): Promise<void> {
    await each(count, () => this.#json<JobView>(`/v1/jobs/${id}`, 200));
  }

  /** Renditions by POST, which are made at once. */
  async images(count: number, photo: Uint8Array<ArrayBuffer>): Promise<void> {
    await each(count, async () => {
      const answer = await call(`${this.#address}/v1/images?width=800`, this.#signal, {
        method: 'POST',
        body: new Blob([photo]),
      });
      await answer.arrayBuffer();
      checkEqual('a rendition', answer.status, 200);
    });
  }

  /** Follows all events on that many streams until disposed; `events` counts those of one. */
  async follow(streams: number): Promise<Following> {
    const ends = new AbortController();
    const signal = AbortSignal.any([this.#signal, ends.signal]);
    let events = 0;
    const open = await each(streams, async (at) => {
      const answer = await call(`${this.#address}/v1/events`, signal);
      checkEqual('a stream of events', answer.status, 200);
      const read = async (): Promise<void> => {
        for await (const chunk of answer.body ?? []) {
          if (at === 0) events += new TextDecoder().decode(chunk).split('\nevent:').length - 1;
        }
      };
      // Not awaited here: it ends when the stream does.
      return { ended: read().catch(() => undefined) };
    });
    return {
      events: () => events,
      async [Symbol.asyncDispose]() {
        ends.abort();
        await Promise.all(open.map(({ ended }) => ended));
      },
    };
  }

  async #json<T>(path: string, expected: number, init: Parameters<typeof call>[2] = {}): Promise<T> {
    const answer = await call(this.#address + path, this.#signal, init);
    const text = await answer.text();
    check(answer.status === expected, `${path} was answered ${answer.status}: ${text}`);
    return JSON.parse(text) as T;
  }
}

/** Does so many, `AT_ONCE` at a time. */
async function each<T>(count: number, what: (at: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next++;
      all[at] = await what(at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, worker));
  return all;
}
