// The rounds with a plan: a poison source, a stop in mid-encode, a reload under load, a process that sleeps past its lease.

import { readdir, readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { isFinished } from '../../src/jobs/job.ts';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { encodersOf, killNow } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';
import { jobIn } from '../support/jobs.ts';
import type { JobView } from '../support/jobs.ts';
import { postLoad } from './load.ts';
import type { AcceptedJob } from './load.ts';
import { reckon } from './round.ts';
import type { Report } from './round.ts';
import { openSite } from './site.ts';
import type { Site } from './site.ts';
import { stuckImages } from './stuck-images.ts';
import { verifyJob } from './verify.ts';

type Special = (signal: AbortSignal) => Promise<Report>;

/** By name, in the order in which they run. */
export const SPECIAL_ROUNDS: Readonly<Record<string, Special>> = {
  'poison: its processes die': (signal) => poison('process', signal),
  'poison: its FFmpeg dies': (signal) => poison('encoder', signal),
  'ffprobe dies': probeDies,
  'SIGTERM in mid-encode': stopInMidEncode,
  'SIGHUP under load': reloadUnderLoad,
  'SIGSTOP past the lease': sleepPastLease,
  'stuck images': stuckImages,
};

const ATTEMPTS = 3;
/** Far more than any step takes on an idle machine. */
const PATIENCE_MS = 120_000;

/** A job of several seconds, even on an idle machine. */
async function postLongJob(site: Site): Promise<AcceptedJob> {
  const clip = { seconds: 40, width: 640, height: 360, codecs: 'old', container: 'mkv' } as const;
  const answer = await call(site.address, '/v1/videos?poster=false', {
    method: 'POST',
    body: await readFile(await clipFixture(clip)),
  });
  if (answer.status !== 202)
    throw new Error(`the long job was answered ${answer.status}: ${answer.body.toString()}`);
  const { id } = jobIn(answer);
  return {
    id,
    name: 'the long job',
    outputs: { video: { kind: 'film', seconds: 40, width: 640, height: 360 } },
  };
}

/** Tolerates connections that break or wait for a process that cannot answer. */
async function look(site: Site, id: string): Promise<JobView | undefined> {
  return call(site.address, `/v1/jobs/${id}`, { timeoutMs: 1000 }).then(jobIn, () => undefined);
}

const report = (name: string, site: Site, begun: number, rest: Partial<Report>): Report => ({
  name,
  jobs: 0,
  kills: site.kills,
  broken: 0,
  attempts: 0,
  left: 0,
  orphanMs: Math.round(site.longestOrphanMs),
  seconds: (performance.now() - begun) / 1000,
  violations: site.violations,
  ...rest,
});

/** What kills its process again and again is given up after so many attempts, and its neighbours do not notice. */
async function poison(what: 'process' | 'encoder', signal: AbortSignal): Promise<Report> {
  const begun = performance.now();
  await using site = await openSite({ JOB_ATTEMPTS: String(ATTEMPTS), VIDEO_SLOTS: '1' });
  const poisoned = await postLongJob(site);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    await eventually(`attempt ${attempt}`, async () => (await look(site, poisoned.id))?.attempt === attempt, {
      timeoutMs: PATIENCE_MS,
    });
    const fork = await site.forkAtWork();
    const victim = what === 'process' ? fork : await site.toolAtWork('ffmpeg');
    if (!killNow(victim)) throw new Error('there was nothing to kill');
  }
  const ended = await eventually('the poisoned job is given up', async () => {
    const job = await look(site, poisoned.id);
    return job !== undefined && isFinished(job) ? job : undefined;
  });
  const code = what === 'process' ? 'attempts_exhausted' : 'encoder_killed';
  if (ended.status !== 'failed' || ended.problem?.code !== code || ended.attempt !== ATTEMPTS) {
    site.violations.push(`expected ${code} after ${ATTEMPTS} attempts, is ${JSON.stringify(ended)}`);
  }
  const { accepted, broken } = await postLoad(() => site.address, seededRandom(1), {
    jobs: 5,
    milliseconds: 500,
    signal,
  });
  const { violations, ...rest } = await reckon(site, accepted);
  const others = violations.filter((violation) => !violation.startsWith(`${poisoned.id} ended as failed`));
  return report(`poison (${what})`, site, begun, {
    jobs: accepted.length + 1,
    broken,
    ...rest,
    violations: others,
  });
}

/** A probe that is killed says nothing about the source: the job is tried again. */
async function probeDies(): Promise<Report> {
  const begun = performance.now();
  await using site = await openSite({});
  const jobs: AcceptedJob[] = [];
  for (let killed = 0; killed < 2; ) {
    const job = await postLongJob(site);
    jobs.push(job);
    if (killNow(await site.toolAtWork('ffprobe'))) killed++;
    await call(site.address, `/v1/jobs/${job.id}?wait=60`);
  }
  return report('ffprobe dies', site, begun, { jobs: jobs.length, ...(await reckon(site, jobs)) });
}

/** A stop hands the job back: no attempt is spent, no FFmpeg left, and it ends after the restart. */
async function stopInMidEncode(): Promise<Report> {
  const begun = performance.now();
  await using site = await openSite({ SHUTDOWN_SECONDS: '1' });
  const job = await postLongJob(site);
  await site.forkAtWork();
  const exit = await site.program.stop();
  if (exit.code !== 0) site.violations.push(`the stop ended with ${exit.code ?? exit.signal}`);
  if (encodersOf(site.dataDir).length > 0) site.violations.push('FFmpeg outlives the stop');
  await site.restart();
  const { violations, ...rest } = await reckon(site, [job]);
  return report('SIGTERM', site, begun, {
    jobs: 1,
    ...rest,
    violations: [...violations, ...unspent(rest.attempts)],
  });
}

/** Every request is answered while all processes are replaced, on kept and on new connections. */
async function reloadUnderLoad(): Promise<Report> {
  const begun = performance.now();
  await using site = await openSite({});
  const picture = await imageFixture({ width: 300, height: 200 });
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const over = new AbortController();
  let requests = 0;
  const flow = async (kept: boolean): Promise<void> => {
    while (!over.signal.aborted) {
      const outcome = await call(site.address, '/v1/images?width=20', {
        method: 'POST',
        body: picture,
        ...(kept && { agent }),
      }).then(({ status, body }) => (status === 200 ? undefined : `${status} ${body.toString()}`), String);
      requests++;
      if (outcome !== undefined) site.violations.push(`${kept ? 'kept' : 'new'} connection: ${outcome}`);
    }
  };
  const flows = [true, true, false, false].map(flow);
  const job = await postLongJob(site);
  await site.forkAtWork();
  for (let turn = 0; turn < 2; turn++) {
    const since = site.program.log.length;
    site.program.kill('SIGHUP');
    await site.program.waitFor(({ msg }) => msg === 'reloaded', { since, timeoutMs: 60_000 });
  }
  over.abort();
  await Promise.all(flows);
  agent.destroy();
  if (requests < 20) site.violations.push(`only ${requests} requests went through`);
  const { violations, ...rest } = await reckon(site, [job]);
  return report('SIGHUP', site, begun, {
    jobs: 1,
    ...rest,
    violations: [...violations, ...unspent(rest.attempts)],
  });
}

const unspent = (attempts: number): string[] =>
  attempts === 1 ? [] : [`the job needed ${attempts} attempts: handing it back has spent one`];

/** Its job is taken over; when it wakes, its own result is not published beside or over the other's. */
async function sleepPastLease(): Promise<Report> {
  const begun = performance.now();
  await using site = await openSite({ VIDEO_SLOTS: '2' });
  const job = await postLongJob(site);
  const sleeper = await site.forkAtWork();
  process.kill(sleeper, 'SIGSTOP');
  try {
    await eventually(
      'another process takes the job over',
      async () => ((await look(site, job.id))?.attempt ?? 0) >= 2,
      {
        timeoutMs: PATIENCE_MS,
      },
    );
    await eventually(
      'the other has finished it',
      async () => {
        const seen = await look(site, job.id);
        return seen !== undefined && isFinished(seen);
      },
      { timeoutMs: PATIENCE_MS },
    );
  } finally {
    process.kill(sleeper, 'SIGCONT');
  }
  const published = await look(site, job.id);
  // The sleeper has woken up when it answers; then it has had its chance to do harm.
  const before = await verifyJob(site.program, job);
  await eventually('the sleeper has cleared up after itself', async () => {
    const folder = join(site.dataDir, 'store/blobs/results', job.id);
    const runs = await readdir(folder, { recursive: true, withFileTypes: true });
    return runs.filter((entry) => entry.isFile()).length === 1 && encodersOf(site.dataDir).length === 0;
  }).catch((error: unknown) => site.violations.push(String(error)));
  const after = await look(site, job.id);
  if (JSON.stringify(after) !== JSON.stringify(published)) {
    site.violations.push(
      `the sleeper has changed the job: ${JSON.stringify(published)} → ${JSON.stringify(after)}`,
    );
  }
  site.violations.push(...before);
  const { violations, ...rest } = await reckon(site, [job]);
  return report('SIGSTOP', site, begun, { jobs: 1, ...rest, violations });
}
