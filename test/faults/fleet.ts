// The round of the fleet: hosts, processes, Redis, S3 and the links between them fail under load, and nothing may be lost.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { jobIn } from '../support/jobs.ts';
import type { JobView } from '../support/jobs.ts';
import { encodersOf } from '../support/processes.ts';
import type { LogLine } from '../support/program.ts';
import { seededRandom } from '../support/random.ts';
import { follow, receiveWebhooks, stepsOf, tellAll, verifyOrder, verifyStories } from './fleet-clients.ts';
import type { Follower, WebhookReceiver } from './fleet-clients.ts';
import { befall, describeFault, planFaults } from './fleet-plan.ts';
import { openFleet } from './fleet-site.ts';
import type { Fleet, Roles } from './fleet-site.ts';
import { verifyBackends } from './fleet-verify.ts';
import { postLoad } from './load.ts';
import type { AcceptedJob, Load } from './load.ts';
import type { Report } from './round.ts';
import type { Fault } from './site.ts';
import { sendFile } from './upload-clients.ts';
import type { Sent } from './upload-clients.ts';
import { awaitAllEnded, verifyViews } from './verify.ts';

export interface FleetRound {
  readonly seed: number;
  readonly hosts: readonly Roles[];
  readonly jobs: number;
  readonly uploads: number;
  readonly faults: number;
  /** One of the outages lasts for 20 s. */
  readonly long: boolean;
  readonly signal: AbortSignal;
}

/** A fleet with a host of each kind, as `npm run faults` hurts it. */
export const FLEET: Pick<FleetRound, 'hosts' | 'jobs' | 'uploads' | 'faults'> = {
  hosts: ['web,work', 'web,work', 'web', 'work', 'work'],
  jobs: 12,
  uploads: 3,
  faults: 6,
};

const LOAD_MS = 5000;
/** From the last fault until everything is done. */
const END_MS = 120_000;
const WEBHOOKS_MS = 60_000;

export async function fleetRound({ seed, hosts, signal, ...size }: FleetRound): Promise<Report> {
  const begun = performance.now();
  const random = seededRandom(seed);
  await using receiver = await receiveWebhooks();
  await using fleet = await openFleet(hosts, { WEBHOOK_HOSTS: receiver.host });
  const anyHost = seededRandom(seed + 2_000_000);
  const address = (): string => anyHost.pick(fleet.addresses);
  const violations: string[] = [];
  const hook = await call(address(), '/v1/webhooks', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: receiver.url }),
  });
  if (hook.status !== 201)
    throw new Error(`the webhook was answered ${hook.status}: ${hook.body.toString()}`);
  const followers = [follow(address), follow(address)];
  const plan = planFaults(seededRandom(seed + 1_000_000), size.faults, hosts.length, size.long);
  const told = plan.map((fault) => describeFault(fault, fleet));
  try {
    const [load, sent] = await Promise.all([
      postLoad(address, random, { jobs: size.jobs, milliseconds: LOAD_MS, signal, key: `round-${seed}` }),
      sendAll(address, seed, size.uploads, violations, signal),
      (async () => {
        const busy = new Set<unknown>();
        const under: Promise<void>[] = [];
        for (const fault of plan) {
          await sleep(fault.afterMs, undefined, { signal });
          under.push(befall(fault, fleet, busy));
        }
        await Promise.all(under);
      })(),
    ]);
    violations.push(...load.violations);
    const rest = await reckon(fleet, { load, sent, followers, receiver });
    violations.push(...rest.violations);
    return {
      name: `fleet ${seed}`,
      jobs: load.accepted.length,
      kills: killsOf(fleet),
      broken: load.broken,
      attempts: rest.attempts,
      left: rest.left,
      orphanMs: Math.round(Math.max(...fleet.hosts.map(({ site }) => site.longestOrphanMs))),
      seconds: (performance.now() - begun) / 1000,
      violations: violations.length === 0 ? [] : [...violations, `the faults were: ${told.join('; ')}`],
    };
  } catch (error) {
    const seen = [String(error), ...violations].join('; ');
    throw new Error(`${seen} after the faults ${told.join('; ')}`, { cause: error });
  } finally {
    await Promise.all(followers.map((follower) => follower.stop()));
  }
}

interface Done {
  readonly load: Load;
  readonly sent: readonly Sent[];
  readonly followers: readonly Follower[];
  readonly receiver: WebhookReceiver;
}

/** Everything that must hold: while the hosts serve, and after they have stopped. */
async function reckon(
  fleet: Fleet,
  { load, sent, followers, receiver }: Done,
): Promise<Pick<Report, 'attempts' | 'left' | 'violations'>> {
  const violations = fleet.hosts.flatMap(({ name, site }) =>
    site.violations.map((each) => `${name}: ${each}`),
  );
  const [first = ''] = fleet.addresses;
  for (const address of fleet.addresses) {
    await eventually(`${address} is ready`, () => isReady(address), { timeoutMs: 40_000, everyMs: 100 });
  }
  const ended = await awaitAllEnded(first, END_MS);
  violations.push(...(await verifyJobs(fleet, ended, load.accepted)));

  const ids = ended.map(({ id }) => id);
  const all = await tellAll(first, ids);
  violations.push(...verifyOrder('all events', all), ...verifyStories(all));
  const steps = stepsOf(all);
  for (const [index, follower] of followers.entries()) {
    const who = `follower ${index}`;
    // Whoever looks on is told of all of it, however often its stream was broken off.
    await eventually(`${who} has caught up`, () => stepsOf(follower.events()).length >= steps.length, {
      timeoutMs: 20_000,
    }).catch((error: unknown) => violations.push(String(error)));
    violations.push(...verifyOrder(who, follower.events()));
    const seen = new Set(stepsOf(follower.events()));
    const lost = steps.filter((step) => !seen.has(step));
    if (lost.length > 0) violations.push(`${who} was not told of ${lost.join(', ')}`);
  }
  await eventually('all webhooks', () => ids.every((id) => receiver.told.has(id)), {
    timeoutMs: WEBHOOKS_MS,
    everyMs: 100,
  }).catch((error: unknown) => violations.push(String(error)));
  for (const [id, messages] of receiver.told) {
    if (messages.size > 1) violations.push(`${id} was told of under ${messages.size} webhook ids`);
    if (!ids.includes(id)) violations.push(`a webhook tells of ${id}, which is not there`);
  }

  for (const { name, site } of fleet.hosts) violations.push(...verifyLog(name, site.lives));
  for (const { name, site } of fleet.hosts) {
    const exit = await site.program.stop();
    if (exit.code !== 0) violations.push(`${name}: the stop ended with ${exit.code ?? exit.signal}`);
    if (encodersOf(site.dataDir).length > 0) violations.push(`${name}: FFmpeg outlives the stop`);
  }
  const stored = await verifyBackends(fleet, ids, sent);
  return {
    attempts: Math.max(0, ...ended.map(({ attempt }) => attempt)),
    left: stored.left,
    violations: [...violations, ...stored.violations],
  };
}

async function verifyJobs(
  fleet: Fleet,
  ended: readonly JobView[],
  accepted: readonly AcceptedJob[],
): Promise<string[]> {
  const violations: string[] = [];
  const [first = ''] = fleet.addresses;
  for (const { id, status, problem } of ended)
    if (status !== 'succeeded') violations.push(`${id} ended as ${status}: ${JSON.stringify(problem)}`);
  if (ended.length > accepted.length)
    violations.push(`${accepted.length} jobs were wanted, ${ended.length} were made`);
  for (const job of accepted) {
    if (!ended.some(({ id }) => id === job.id)) {
      violations.push(`${job.name} ${job.id} was answered 202 and is lost`);
      continue;
    }
    const answers = await Promise.all(fleet.addresses.map((address) => call(address, `/v1/jobs/${job.id}`)));
    violations.push(...(await verifyViews(first, job, answers.map(jobIn))));
  }
  return violations;
}

/** A process may only die by our hand, and no answer may be 500: whatever was away is told as 503. */
function verifyLog(name: string, lives: readonly { readonly log: readonly LogLine[] }[]): string[] {
  return lives.flatMap(({ log }) =>
    log
      .filter(
        ({ level, msg, ...line }) =>
          level >= 60 ||
          /unexpected error|cannot start(?! yet)/.test(msg) ||
          line['code'] === 'internal_error',
      )
      .map((line) => `${name}: ${JSON.stringify(line).slice(0, 2000)}`),
  );
}

async function isReady(address: string): Promise<boolean> {
  return call(address, '/readyz', { timeoutMs: 2000 }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function sendAll(
  address: () => string,
  seed: number,
  count: number,
  violations: string[],
  signal: AbortSignal,
): Promise<Sent[]> {
  const sent = await Promise.allSettled(
    Array.from({ length: count }, (_, index) => {
      const random = seededRandom(seed * 1000 + index);
      return sendFile(film(random.between(200_000, 3_000_000)), false, {
        address,
        random,
        signal,
        complain: (what) => void violations.push(what),
        cutOff: () => undefined,
      });
    }),
  );
  for (const each of sent) if (each.status === 'rejected') violations.push(String(each.reason));
  return sent.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** An MKV by its first bytes. */
const film = (bytes: number): Buffer =>
  Buffer.concat([Buffer.from('1a45dfa3a34286844282886d6174726f736b61', 'hex'), randomBytes(bytes)]);

function killsOf({ hosts }: Fleet): Record<Fault, number> {
  const kills = { process: 0, encoder: 0, primary: 0 };
  for (const { site } of hosts)
    for (const kind of ['process', 'encoder', 'primary'] as const) kills[kind] += site.kills[kind];
  return kills;
}
