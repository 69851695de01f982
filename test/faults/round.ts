// One round: the real program under load, things killed at random moments, and then the reckoning.

import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { forksOf } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';
import type { Random } from '../support/random.ts';
import { postLoad } from './load.ts';
import type { AcceptedJob } from './load.ts';
import { openSite } from './site.ts';
import type { Fault, Site } from './site.ts';
import { awaitAllEnded, verifyJob } from './verify.ts';
import { verifyFolder } from './verify-folder.ts';

export interface RoundOptions {
  readonly seed: number;
  readonly jobs: number;
  /** How many SIGKILLs; fewer than JOB_ATTEMPTS, so that no job may fail by them. */
  readonly kills: number;
  /** The load goes on for so long; kills fall within it and shortly after. */
  readonly loadMs?: number;
  readonly signal: AbortSignal;
}

export interface Report {
  readonly name: string;
  readonly jobs: number;
  readonly kills: Readonly<Record<Fault, number>>;
  /** Requests that a kill cut off. */
  readonly broken: number;
  /** The most attempts that a job needed. */
  readonly attempts: number;
  /** Files that wait for the sweeper. */
  readonly left: number;
  readonly orphanMs: number;
  readonly seconds: number;
  readonly violations: readonly string[];
}

const LOAD_MS = 4000;
const END_MS = 180_000;

export async function runRound({
  seed,
  jobs,
  kills,
  loadMs = LOAD_MS,
  signal,
}: RoundOptions): Promise<Report> {
  const begun = performance.now();
  const random = seededRandom(seed);
  await using site = await openSite({ VIDEO_SLOTS: '2' });
  const [load] = await Promise.all([
    postLoad(() => site.address, random, { jobs, milliseconds: loadMs, signal }),
    hurtAgainAndAgain(site, seededRandom(seed + 1_000_000), { kills, loadMs, signal }),
  ]);
  const reckoning = await reckon(site, load.accepted);
  return {
    name: `seed ${seed}`,
    jobs: load.accepted.length,
    kills: site.kills,
    broken: load.broken,
    ...reckoning,
    orphanMs: Math.round(site.longestOrphanMs),
    seconds: (performance.now() - begun) / 1000,
  };
}

async function hurtAgainAndAgain(
  site: Site,
  random: Random,
  {
    kills,
    loadMs,
    signal,
  }: { readonly kills: number; readonly loadMs: number; readonly signal: AbortSignal },
): Promise<void> {
  for (let done = 0; done < kills; done++) {
    await sleep(random.between(50, (2 * loadMs) / kills), undefined, { signal });
    const fault = random.pick<Fault>(['process', 'process', 'encoder', 'encoder', 'primary']);
    // No encoder at work just now, or no process: the other kind then.
    if (!(await site.hurt(fault, random)))
      await site.hurt(fault === 'encoder' ? 'process' : 'primary', random);
  }
}

/** Everything that must hold after the faults: of the jobs, while it serves; of the folder, after a clean stop. */
export async function reckon(
  site: Site,
  accepted: readonly AcceptedJob[],
): Promise<Pick<Report, 'attempts' | 'left' | 'violations'>> {
  const { violations } = site;
  await eventually('both processes serve again', () => served(site) >= 2, { timeoutMs: 40_000 });
  const ended = await awaitAllEnded(site.address, END_MS);
  for (const job of ended) {
    if (job.status !== 'succeeded')
      violations.push(`${job.id} ended as ${job.status}: ${JSON.stringify(job.problem)}`);
  }
  for (const job of accepted) {
    if (ended.some(({ id }) => id === job.id)) violations.push(...(await verifyJob(site.program, job)));
    else violations.push(`${job.name} ${job.id} was answered 202 and is lost`);
  }
  const exit = await site.program.stop();
  if (exit.code !== 0) violations.push(`the stop ended with ${exit.code ?? exit.signal}`);
  const folder = await verifyFolder(
    site.dataDir,
    ended.map(({ id }) => id),
    site.kills,
  );
  return {
    attempts: Math.max(0, ...ended.map(({ attempt }) => attempt)),
    left: folder.left,
    violations: [...violations, ...folder.violations],
  };
}

/** How many processes have said that they serve and live. */
function served({ program }: Site): number {
  const last = program.log.findLastIndex(({ msg }) => msg === 'serving');
  const died = program.log.slice(last).some(({ msg }) => msg === 'process died');
  return last >= 0 && !died ? forksOf(program.pid).length : 0;
}
