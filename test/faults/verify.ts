// What must hold at the end of a round, whatever was killed in it. Each check gives the promises that were broken.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isFinished } from '../../src/jobs/job.ts';
import { call } from '../support/client.ts';
import { complaintsAbout, decodePicture, probeFilm } from '../support/inspect.ts';
import { fromEveryProcess, jobIn, listJobs } from '../support/jobs.ts';
import type { JobView } from '../support/jobs.ts';
import type { Program } from '../support/program.ts';
import type { AcceptedJob, ExpectedOutput } from './load.ts';

/** All jobs that the server knows, whether their 202 arrived or not. Waits until nothing is queued or running any more; what is then still is a lost job. */
export async function awaitAllEnded(address: string, timeoutMs: number): Promise<JobView[]> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const jobs = await listJobs(address);
    const open = jobs.find((job) => !isFinished(job));
    if (open === undefined || performance.now() > end) return jobs;
    await call(address, `/v1/jobs/${open.id}?wait=5`);
  }
}

/** The job ended as `succeeded`, every process tells the same of it, every output is whole and what was asked for. */
export async function verifyJob(program: Program, accepted: AcceptedJob): Promise<string[]> {
  const answers = await fromEveryProcess(program, `/v1/jobs/${accepted.id}`);
  return verifyViews(program.address, accepted, [...answers.values()].map(jobIn));
}

/** As `verifyJob`, with what was told of the job, by each process or by each host. The outputs are those of `address`. */
export async function verifyViews(
  address: string,
  accepted: AcceptedJob,
  views: readonly JobView[],
): Promise<string[]> {
  const { id, name } = accepted;
  const [first, ...others] = views;
  if (first === undefined) return [`${name} ${id}: no answer`];
  const broken: string[] = [];
  if (others.some((other) => !isDeepStrictEqual(other, first))) {
    broken.push(`${name} ${id}: processes tell different things of it`);
  }
  if (first.status !== 'succeeded') {
    broken.push(`${name} ${id}: ${first.status}, attempt ${first.attempt}: ${JSON.stringify(first.problem)}`);
    return broken;
  }
  for (const [output, expected] of Object.entries(accepted.outputs)) {
    const complaint = await verifyOutput(address, first, output, expected).catch(String);
    if (complaint !== undefined) broken.push(`${name} ${id} ${output}: ${complaint}`);
  }
  return broken;
}

async function verifyOutput(
  address: string,
  job: JobView,
  name: string,
  expected: ExpectedOutput,
): Promise<string | undefined> {
  const view = job.outputs.find((output) => output.name === name);
  if (view?.url == null) return 'is not published';
  const { status, headers, body } = await call(address, view.url);
  if (status !== 200) return `answered ${status}`;
  if (body.length !== view.bytes || body.length !== Number(headers['content-length'])) {
    return `${body.length} bytes came, the job says ${view.bytes}, Content-Length ${headers['content-length']}`;
  }
  const seen = expected.kind === 'picture' ? await decodePicture(body) : await lookAtFilm(body);
  const wrong = Object.entries(expected).filter(
    ([key, value]) =>
      key !== 'kind' &&
      (key === 'seconds'
        ? Math.abs(Number(value) - Number(Reflect.get(seen, key))) > 0.25
        : Reflect.get(seen, key) !== value),
  );
  if (wrong.length > 0) return `expected ${JSON.stringify(expected)}, is ${JSON.stringify(seen)}`;
  if (view.width !== expected.width || view.height !== expected.height) {
    return `the job says ${view.width} × ${view.height}`;
  }
  return 'complaints' in seen && seen.complaints !== '' ? `does not play: ${seen.complaints}` : undefined;
}

async function lookAtFilm(
  bytes: Buffer,
): Promise<{ seconds: number; width: number; height: number; complaints: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-look-'));
  try {
    const path = join(folder, 'film');
    await writeFile(path, bytes);
    const { seconds, video, audio } = await probeFilm(path);
    return {
      seconds,
      width: video?.width ?? 0,
      height: video?.height ?? 0,
      complaints: audio === undefined ? 'it has lost its sound' : await complaintsAbout(path),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
