// Polling: what a look at a job costs beside a bare JSON route, and whether a million stored jobs make it dearer.

import type { Client } from 'autocannon';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobView } from '../../src/jobs/job-view.ts';
import { call } from '../call.ts';
import { fire } from '../cannon.ts';
import type { Hits } from '../cannon.ts';
import { checkEqual } from '../check.ts';
import { startFloor } from '../floors/floor-process.ts';
import { digits } from '../format.ts';
import { JobClient } from '../job-client.ts';
import { cpuSeconds, readTree } from '../process-tree.ts';
import { byRound } from '../report/chart.ts';
import { figure, interleave } from '../scenario.ts';
import type { Context, Pace, Scenario } from '../scenario.ts';
import { seedJobs } from '../seed-jobs.ts';
import { startServer } from '../server-process.ts';
import type { ServerProcess } from '../server-process.ts';
import { median, percentile, ratios } from '../statistics.ts';

export interface StatusSettings extends Pace {
  readonly connections: number;
  /** Jobs stored in the small and in the large database. */
  readonly few: number;
  readonly jobs: number;
  /** What every job must be. */
  readonly expected?: string;
}

/** Jobs polled in turn for few against many: more than a process keeps parsed, so that each is looked up. */
const POLLED = 1000;

interface Measured extends Hits {
  /** CPU seconds of one answer. */
  readonly cpu: number;
}

export const status: Scenario<StatusSettings> = {
  name: 'status',
  title: 'Polling a job, against a bare Fastify JSON route; with many jobs stored, against few',
  full: { rounds: 7, seconds: 3, connections: 16, few: 1000, jobs: 1_000_000 },
  quick: { rounds: 1, seconds: 0.15, connections: 2, few: 100, jobs: 1000 },
  async run({ rounds, seconds, connections, few, jobs, expected = 'succeeded' }, context) {
    const { folder, signal } = context;
    await using small = await seededServer(few, expected, context);
    await using large = await seededServer(jobs, expected, context);
    const [watched = ''] = small.ids;
    const payload = join(folder, 'job.json');
    await writeFile(payload, JSON.stringify(await new JobClient(small.server.address, signal).get(watched)));
    await using route = await startFloor(new URL('../floors/json-route.ts', import.meta.url), {
      args: [String(small.server.processes), payload],
      signal,
    });

    const poll = async (address: string, pid: number, ids: readonly string[]): Promise<Measured> => {
      const known = new Set(ids);
      const before = cpuSeconds(await readTree(pid));
      const hits = await fire({
        url: address,
        connections,
        seconds,
        signal,
        // Each connection begins somewhere else, as clients do that know nothing of one another.
        setupClient: pollingInTurn(ids),
        // Not the headers of each: taking them apart would cost more than making the answer.
        verifyBody: (body) => isJob(body, known, expected),
      });
      const cpu = cpuSeconds(await readTree(pid)) - before;
      return { ...hits, cpu: cpu / hits.answers };
    };

    const contenders = {
      route: () => poll(String(route.hello), route.pid, [watched]),
      watched: () => poll(small.server.address, small.server.pid, [watched]),
      few: () => poll(small.server.address, small.server.pid, small.ids),
      many: () => poll(large.server.address, large.server.pid, large.ids),
    };
    context.progress.step('warming up');
    for (const warm of Object.values(contenders)) await warm();
    const measured = await interleave(rounds, context, contenders);
    await small.server.stop();
    await large.server.stop();

    const rate = mapValues(measured, ({ perSecond }) => perSecond);
    const cpu = mapValues(measured, (each) => each.cpu * 1e6);
    const many = (values: readonly number[]): string => `${digits(median(values))} answers/s`;
    const each = (values: readonly number[]): string => `${digits(median(values))} µs of CPU per answer`;
    const names = { few: few.toLocaleString('en'), many: jobs.toLocaleString('en') };
    const labelled = (values: typeof rate) => ({
      'bare route': values.route,
      'one job': values.watched,
      [`any of ${names.few} jobs`]: values.few,
      [`any of ${names.many} jobs`]: values.many,
    });
    const ticks = ['50', '75', '90', '95', '99'];
    return {
      figures: [
        figure('status polling', ratios(rate.watched, rate.route), {
          target: { op: '≥', value: 0.6 },
          measured: many(rate.watched),
          floor: `${many(rate.route)} by a bare JSON route`,
        }),
        figure(`status polling, ${names.many} jobs stored`, ratios(rate.many, rate.few), {
          target: { op: '≥', value: 0.9 },
          measured: many(rate.many),
          floor: `${many(rate.few)} with ${names.few} stored`,
        }),
        figure('status polling, CPU', ratios(cpu.watched, cpu.route), {
          measured: each(cpu.watched),
          floor: `${each(cpu.route)} of a bare JSON route`,
        }),
      ],
      charts: [
        byRound('Answers per second', 'answers/s', labelled(rate)),
        byRound('CPU time of one answer', 'µs', labelled(cpu)),
        {
          title: `Latency with ${connections} connections`,
          x: { label: 'percentile', ticks },
          y: { label: 'ms' },
          series: Object.entries(measured).map(([name, all]) => {
            const latencies = all.flatMap((hits) => hits.latencies);
            return {
              name,
              points: ticks.map((tick, i): [number, number] => [i, percentile(latencies, Number(tick))]),
            };
          }),
        },
      ],
      notes: [
        `${connections} connections, ${small.server.processes} processes each for the server and for the bare route, which answers with the same JSON. The load generator runs on the same cores.`,
        `"One job" is polled again and again, as clients do; with few and many stored, ${Math.min(POLLED, few)} and ${Math.min(POLLED, jobs)} different ones in turn.`,
      ],
    };
  },
};

/** A server whose database holds `count` finished jobs, and some of their ids; it was seen to answer them rightly. */
async function seededServer(
  count: number,
  expected: string,
  { folder, signal, progress, env }: Context,
): Promise<AsyncDisposable & { readonly server: ServerProcess; readonly ids: readonly string[] }> {
  const dataDir = await mkdtemp(join(folder, 'jobs-'));
  const ids = await seedJobs(dataDir, count, POLLED, (done) => {
    signal.throwIfAborted();
    progress.step(`storing ${count.toLocaleString('en')} jobs`, done, count);
  });
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startServer({ signal, dataDir, env }));
  await checkJobs(server, ids.slice(0, 50), expected, signal);
  const open = stack.move();
  return { server, ids, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function pollingInTurn(ids: readonly string[]): (client: Client) => void {
  let next = 0;
  return (client) => {
    const from = (next++ * 61) % ids.length;
    const turn = [...ids.slice(from), ...ids.slice(0, from)];
    client.setRequests(turn.map((id) => ({ method: 'GET', path: `/v1/jobs/${id}` })));
  };
}

/** The beginning of the answer, where both have always stood. */
function isJob(body: string, ids: ReadonlySet<string>, status: string): boolean {
  const [, id = '', told = ''] = /^{"id":"(\w+)","status":"(\w+)",.*}$/.exec(body) ?? [];
  return ids.has(id) && told === status;
}

/** Looks at some answers in full: the very job that was asked for. */
async function checkJobs(
  { address }: ServerProcess,
  ids: readonly string[],
  expected: string,
  signal: AbortSignal,
): Promise<void> {
  for (const id of ids) {
    const answer = await call(`${address}/v1/jobs/${id}`, signal);
    const type = answer.headers.get('content-type');
    const job = (await answer.json()) as JobView;
    checkEqual(
      'a polled job',
      [answer.status, type, job.id, job.status],
      [200, 'application/json; charset=utf-8', id, expected],
    );
  }
}

function mapValues<K extends string>(
  measured: Readonly<Record<K, readonly Measured[]>>,
  value: (each: Measured) => number,
): Record<K, number[]> {
  return Object.fromEntries(
    Object.entries<readonly Measured[]>(measured).map(([name, all]) => [name, all.map(value)]),
  ) as Record<K, number[]>;
}
