// A client of jobs: sends one, waits for its end, reads how long it took, removes it.

import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import type { JobView } from '../src/jobs/job-view.ts';
import { call } from './call.ts';
import { CheckFailed, check, checkEqual } from './check.ts';

export type Outputs = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export class JobClient {
  readonly #address: string;
  readonly #signal: AbortSignal;

  constructor(address: string, signal: AbortSignal) {
    this.#address = address;
    this.#signal = signal;
  }

  /** Sends a file with the outputs wanted of it. Rejects with CheckFailed unless it is accepted. */
  async submit(path: string, outputs: Outputs): Promise<JobView> {
    const form = new FormData();
    form.append('recipe', JSON.stringify({ outputs }));
    form.append('file', await openAsBlob(path), basename(path));
    return this.#call('POST', '/v1/jobs', 202, form);
  }

  get(id: string): Promise<JobView> {
    return this.#call('GET', `/v1/jobs/${id}`, 200);
  }

  /** Resolves when the job is finished, whatever way. */
  async finished(id: string): Promise<JobView> {
    for (;;) {
      const job = await this.#call<JobView>('GET', `/v1/jobs/${id}?wait=30`, 200);
      if (job.finishedAt !== null) return job;
    }
  }

  /** Sends, waits, and checks that it succeeded, at the first attempt, with every output. */
  async run(path: string, outputs: Outputs): Promise<JobView> {
    const { id } = await this.submit(path, outputs);
    const job = await this.finished(id);
    check(job.status === 'succeeded', `the job ${job.status}: ${JSON.stringify(job.problem)}`);
    checkEqual('attempts of a job', job.attempt, 1);
    checkEqual(
      'outputs of a job',
      job.outputs.map(({ name }) => name).toSorted(),
      Object.keys(outputs).toSorted(),
    );
    return job;
  }

  async cancel(id: string): Promise<void> {
    await this.#call('POST', `/v1/jobs/${id}/cancel`, 202);
  }

  async remove(id: string): Promise<void> {
    await this.#call('DELETE', `/v1/jobs/${id}`, 204);
  }

  async running(): Promise<number> {
    const { jobs } = await this.#call<{ jobs: JobView[] }>('GET', '/v1/jobs?status=running&limit=100', 200);
    return jobs.length;
  }

  /** The address of an output. */
  output(job: JobView, name: string): string {
    const url = job.outputs.find((output) => output.name === name)?.url;
    if (typeof url !== 'string') throw new CheckFailed(`the job has no output ${name}`);
    return this.#address + url;
  }

  async #call<T>(method: string, path: string, expected: number, body?: FormData): Promise<T> {
    const answer = await call(this.#address + path, this.#signal, { method, ...(body && { body }) });
    const text = await answer.text();
    check(
      answer.status === expected,
      `${method} ${path} was answered ${answer.status}, not ${expected}: ${text}`,
    );
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}

/** Seconds from the start to the end of a finished job's work. */
export function workSeconds({ startedAt, finishedAt }: Pick<JobView, 'startedAt' | 'finishedAt'>): number {
  check(startedAt !== null && finishedAt !== null, 'the job is not finished');
  return (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
}
