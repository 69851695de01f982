// The figures of docs/scaling.md: what was measured, and what follows from it for 1 to 64 hosts.

import { digits } from '../format.ts';
import type { Cost } from './cost.ts';
import type { Measured, MeasureSettings } from './measure.ts';
import {
  bearable,
  firstLimit,
  imageRate,
  loadOf,
  RESOURCES,
  VIDEO_SECONDS,
  whenBusy,
  WORKLOADS,
} from './model.ts';
import type { Coefficients, Host, Load, Workload } from './model.ts';

export const HOSTS = [1, 4, 16, 64];

/** Markdown. */
export function scalingText(measured: Measured, host: Host, settings: MeasureSettings): string {
  const known = whenBusy(measured, measured.busy.commandSeconds);
  const { connectionsHost, connectionsProcess, calls, kinds, media, eventsPerJob, loadAverage } = measured;
  const rate = imageRate(known, host);
  return [
    `Load average of the machine at the beginning: ${digits(loadAverage)}. Sources: ${media.join('; ')}.`,
    costs(measured, settings),
    `Connections to Redis: ${connectionsHost} for a host and ${connectionsProcess} for each of its processes. An image job has ${digits(eventsPerJob)} events. Its
most frequent commands: ${listed(calls)}. Its requests to the store: ${listed(kinds)}.`,
    busy(measured),
    `Of these follows, for hosts of ${host.cores} cores and ${host.processes} processes at full work: ${digits(rate)} image jobs a second each, or ${host.cores / 2} videos at
once of ${VIDEO_SECONDS} s of work each, every one polled each other second.`,
    loads(known, host),
    limits(known, host),
    fewer(known, host),
  ].join('\n\n');
}

/** The first eight. */
function listed(counts: Measured['calls']): string {
  return counts
    .slice(0, 8)
    .map(([name, count]) => `\`${name.replace('|', ' ')}\` ${digits(count)}`)
    .join(', ');
}

function costs(measured: Measured, { streams }: MeasureSettings): string {
  const rows: readonly (readonly [string, Cost])[] = [
    ['a process that idles, a second', measured.idleProcess],
    ['an image by `POST`', measured.direct],
    ['an image job, with one long poll', measured.accepted],
    ['its result, fetched', measured.fetched],
    ['its removal', measured.removed],
    ['a poll', measured.poll],
    ['its events, for a process that follows them', measured.followed],
    [`its events, for a process with ${streams} streams`, measured.followedByMany],
    ['a video job, fetched and removed', measured.video],
    ['a second of its work', measured.running],
  ];
  return table(
    ['one of', 'Redis commands', 'Redis CPU, µs', 'Redis, kB', 'S3 requests', 'to S3, kB', 'from S3, kB'],
    rows.map(([name, cost]) => [
      name,
      digits(cost.commands),
      digits(cost.redisSeconds * 1e6),
      digits(cost.redisBytes / 1000),
      digits(cost.s3Requests),
      digits(cost.s3In / 1000),
      digits(cost.s3Out / 1000),
    ]),
  );
}

/** Why the model does not take the CPU of the first table. */
function busy({ accepted, busy: { commandSeconds, commands, jobSeconds } }: Measured): string {
  return `The CPU in this table is that of a Redis which is woken for nearly every command: ${digits((accepted.redisSeconds / accepted.commands) * 1e6)} µs for one. Driven as fast as one process
can (the queue alone: ${digits(commands)} commands and ${digits(jobSeconds * 1e6)} µs for a job that is added, handed out and ended), a command took ${digits(commandSeconds * 1e6)} µs. The model counts with that,
since it asks when Redis is full.`;
}

function loads(measured: Coefficients, host: Host): string {
  const row = (workload: Workload, load: Load): string[] => [
    workload.name,
    String(load.hosts),
    digits(load.commands),
    `${digits(load.redisSeconds * 100)} %`,
    digits((load.redisBytes * 8) / 1e6),
    load.connections.toLocaleString('en'),
    digits(load.s3Requests),
    digits((Math.max(load.s3In, load.s3Out) * 8) / 1e9),
  ];
  return table(
    [
      'work',
      'hosts',
      'Redis commands/s',
      'CPU of Redis, of one core',
      'Redis, Mbit/s',
      'connections',
      'S3 requests/s',
      'S3, Gbit/s one way',
    ],
    WORKLOADS.flatMap((workload) =>
      HOSTS.map((hosts) => row(workload, loadOf(measured, workload, host, hosts))),
    ),
  );
}

function limits(measured: Coefficients, host: Host): string {
  return table(
    ['hosts until it is full', ...WORKLOADS.map(({ name }) => name)],
    RESOURCES.map((resource) => [
      resource.name,
      ...WORKLOADS.map((workload) => {
        const hosts = bearable(measured, workload, host).get(resource) ?? 0;
        const isFirst = firstLimit(measured, workload, host).resource === resource;
        return isFirst ? `**${hosts}**` : String(hosts);
      }),
    ]),
  );
}

/** What it brings to run fewer processes on hosts that encode. */
function fewer(measured: Coefficients, host: Host): string {
  const [videos] = WORKLOADS;
  const slim = { ...host, processes: 2 };
  const most = (of: Host): string => {
    const { hosts, resource } = firstLimit(measured, videos!, of);
    return `${hosts} (${resource.name})`;
  };
  const connections = loadOf(measured, videos!, slim, 64).connections;
  return `With ${slim.processes} processes on each host that encodes (\`PROCESSES=${slim.processes}\`), 64 hosts have ${connections} connections, and the first limit is at ${most(slim)}
hosts instead of ${most(host)}.`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
