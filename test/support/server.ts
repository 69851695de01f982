// The whole server inside the test's own process, on a free port and a folder of its own, in the mode of the run (mode.ts).

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Config } from '../../src/config.ts';
import type { HintBus } from '../../src/contracts.ts';
import type { JobView } from '../../src/jobs/job-view.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { startServer } from '../../src/server.ts';
import type { ServerOptions } from '../../src/server.ts';
import { configIn } from './mode.ts';

export interface TestServer extends AsyncDisposable {
  /** Empty for one that only works. */
  readonly url: string;
  readonly config: Config;
  /** What its process is called in leases, and in hints. */
  readonly owner: string;
  /** How often an image overran its deadline. */
  overruns(): number;
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Waits for the end of a job by long polls. */
  finished(job: { id: string }): Promise<JobView>;
}

export async function startTestServer(
  env: Record<string, string> = {},
  {
    dataDir,
    hints = localHints(),
    remote,
    machine,
  }: {
    dataDir?: string;
    hints?: HintBus;
    remote?: NonNullable<ServerOptions['remote']>;
    /** Servers of one folder are processes of one machine unless it is said otherwise. */
    machine?: string;
  } = {},
): Promise<TestServer> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'mediamill-test-')));
  const config = configIn(folder, {
    PORT: '0',
    PROCESSES: '1',
    IMAGE_THREADS: '1',
    SHUTDOWN_SECONDS: '5',
    ...env,
  });
  let overruns = 0;
  const owner = randomUUID();
  const server = await startServer({
    config,
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
    hints,
    owner,
    machine: machine ?? folder,
    onOverrun: () => void overruns++,
    ...(remote && { remote }),
  });
  const url = server.address ?? '';
  const request = (path: string, init?: RequestInit): Promise<Response> => fetch(new URL(path, url), init);
  return {
    url,
    config,
    owner,
    overruns: () => overruns,
    request,
    async finished({ id }) {
      for (;;) {
        const response = await request(`/v1/jobs/${id}?wait=20`);
        const job = (await response.json()) as JobView;
        if (!response.ok) throw new Error(`polling answered ${response.status}: ${JSON.stringify(job)}`);
        if (job.links.cancel === null) return job;
      }
    },
    async [Symbol.asyncDispose]() {
      await server.close(Date.now() + 2000);
      if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The body of a problem, checked to be one. */
export async function problemOf(
  response: Response,
): Promise<{ code: string; status: number; detail: string; errors?: { field: string; message: string }[] }> {
  const type = response.headers.get('content-type');
  if (type !== 'application/problem+json; charset=utf-8')
    throw new Error(`not a problem but ${type}: ${await response.text()}`);
  const problem = (await response.json()) as { code: string; status: number; detail: string };
  if (problem.status !== response.status)
    throw new Error(`the problem says ${problem.status}, the answer ${response.status}`);
  return problem;
}

/** A form with fields in the order given and then the file. */
export function form(
  file: Uint8Array<ArrayBuffer>,
  fields: Record<string, string> = {},
  name = 'photo.jpg',
): FormData {
  const data = new FormData();
  for (const [field, value] of Object.entries(fields)) data.append(field, value);
  data.append('file', new Blob([file]), name);
  return data;
}
