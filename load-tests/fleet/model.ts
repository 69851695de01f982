// The model: what so many hosts at full work ask of the one Redis and of the store, and which of them is full first.

import { NOTHING, sum, times } from './cost.ts';
import type { Cost } from './cost.ts';

/** What was measured, each for one. */
export interface Coefficients {
  /** A second of a process that does nothing. */
  readonly idleProcess: Cost;
  /** Connections to Redis. */
  readonly connectionsHost: number;
  readonly connectionsProcess: number;
  /** An image job: accepted, waited for by one long poll, its result fetched, removed. */
  readonly image: Cost;
  /** A video job, likewise, beside the seconds that it runs. */
  readonly video: Cost;
  /** A second of a running video job. */
  readonly running: Cost;
  readonly poll: Cost;
  /** An image job's events, for each process in which somebody follows events. */
  readonly followed: Cost;
}

/** The same where Redis has much to do: then a command costs less, since it wakes, reads and writes for many at once. */
export function whenBusy(known: Coefficients, commandSeconds: number): Coefficients {
  const at = (cost: Cost): Cost => ({ ...cost, redisSeconds: cost.commands * commandSeconds });
  return {
    ...known,
    idleProcess: at(known.idleProcess),
    image: at(known.image),
    video: at(known.video),
    running: at(known.running),
    poll: at(known.poll),
    followed: at(known.followed),
  };
}

export interface Host {
  readonly cores: number;
  readonly processes: number;
}

export interface Workload {
  readonly name: string;
  /** What one host does in a second at full work, where so many hosts are. */
  readonly perHost: (coefficients: Coefficients, host: Host, hosts: number) => Cost;
}

/** Of the cores, what the work gets: the rest is the system's, and room. */
const BUSY = 0.8;
/** A video job takes half a core's slot for so many seconds, and its client looks every two. */
export const VIDEO_SECONDS = 30;
const POLL_EVERY = 2;

/** Image jobs that a host does in a second: its cores are what bounds it. */
export function imageRate({ image }: Coefficients, { cores }: Host): number {
  return (cores * BUSY) / image.serverSeconds;
}

const images: Workload['perHost'] = (known, host) => times(known.image, imageRate(known, host));

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'videos',
    perHost({ video, running, poll }, { cores }) {
      const slots = cores / 2;
      return sum(times(video, slots / VIDEO_SECONDS), times(running, slots), times(poll, slots / POLL_EVERY));
    },
  },
  { name: 'image jobs', perHost: images },
  {
    name: 'image jobs, followed on every host',
    // One process of each host reads the events of all hosts.
    perHost: (known, host, hosts) =>
      sum(images(known, host, hosts), times(known.followed, imageRate(known, host) * hosts)),
  },
];

export interface Resource {
  readonly name: string;
  /** What there is of it. */
  readonly limit: number;
  /** What `hosts` hosts use. */
  readonly used: (load: Load) => number;
}

/** What a fleet asks for in a second. */
export interface Load extends Cost {
  readonly hosts: number;
  readonly connections: number;
}

/** Of one thread: past it Redis answers late, as any queue does. */
export const REDIS_BUSY = 0.7;
/** `maxclients` as Redis has it by default. */
export const MAX_CONNECTIONS = 10_000;
/** Amazon S3 gives so many writes a second to one prefix of keys before it divides it (S3 user guide, "Optimizing performance"). */
export const S3_WRITES = 3500;
/** Of a store on one machine with a link of 10 Gbit/s, in bytes each way. */
export const S3_BYTES = 10e9 / 8;

export const RESOURCES: readonly Resource[] = [
  { name: 'CPU of Redis', limit: REDIS_BUSY, used: ({ redisSeconds }) => redisSeconds },
  { name: 'connections to Redis', limit: MAX_CONNECTIONS, used: ({ connections }) => connections },
  { name: 'writes to one prefix of Amazon S3', limit: S3_WRITES, used: ({ s3Writes }) => s3Writes },
  {
    name: 'a link of 10 Gbit/s to the store',
    limit: S3_BYTES,
    used: ({ s3In, s3Out }) => Math.max(s3In, s3Out),
  },
];

/** What a fleet of that many hosts asks for, each at full work. */
export function loadOf(known: Coefficients, workload: Workload, host: Host, hosts: number): Load {
  const each = sum(times(known.idleProcess, host.processes), workload.perHost(known, host, hosts));
  const connections = known.connectionsHost + known.connectionsProcess * host.processes;
  return { ...sum(NOTHING, times(each, hosts)), hosts, connections: connections * hosts };
}

const MOST_HOSTS = 4096;

/** How many hosts each resource bears: the last number before it is full; `MOST_HOSTS` where it never is. */
export function bearable(known: Coefficients, workload: Workload, host: Host): ReadonlyMap<Resource, number> {
  const most = ({ limit, used }: Resource): number => {
    let hosts = 0;
    while (hosts < MOST_HOSTS && used(loadOf(known, workload, host, hosts + 1)) <= limit) hosts++;
    return hosts;
  };
  return new Map(RESOURCES.map((resource) => [resource, most(resource)]));
}

/** The resource that is full first, and the most hosts before it. */
export function firstLimit(
  known: Coefficients,
  workload: Workload,
  host: Host,
): { readonly resource: Resource; readonly hosts: number } {
  const all = [...bearable(known, workload, host)].map(([resource, hosts]) => ({ resource, hosts }));
  return all.reduce((least, each) => (each.hosts < least.hosts ? each : least));
}
