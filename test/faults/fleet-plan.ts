// What goes wrong in a round of the fleet, decided by its seed alone, and how each of these things is done.

import { setTimeout as sleep } from 'node:timers/promises';
import { forksOf } from '../support/processes.ts';
import type { Random } from '../support/random.ts';
import type { Fleet, Host } from './fleet-site.ts';

const KINDS = [
  'power off',
  'kill process',
  'kill encoder',
  'kill primary',
  'pause process',
  'stop Redis',
  'kill Redis',
  'cut Redis',
  'stall Redis',
  'slow Redis',
  'stop S3',
  'kill S3',
  'cut S3',
  'stall S3',
] as const;
type Kind = (typeof KINDS)[number];

export interface FleetFault {
  readonly kind: Kind;
  /** Index of the host; of no meaning for what concerns them all. */
  readonly host: number;
  /** After the one before, in milliseconds. */
  readonly afterMs: number;
  /** How long it lasts, in milliseconds. */
  readonly lastsMs: number;
  readonly random: Random;
}

/** Outages of this length are longer than every patience of the program (5 s) and every lease. */
const LONG_MS = 20_000;
const SHORT_MS = 6000;
/** The lease of the sites is 2 s. */
const PAUSE_MS = 3500;

/** `long`: one of the outages lasts for 20 s. */
export function planFaults(random: Random, count: number, hosts: number, long: boolean): FleetFault[] {
  const faults = Array.from({ length: count }, (): FleetFault => {
    const kind = random.pick(KINDS);
    return {
      kind,
      host: random.between(0, hosts - 1),
      afterMs: random.between(100, 1500),
      lastsMs: kind === 'pause process' ? PAUSE_MS : random.between(300, SHORT_MS),
      random,
    };
  });
  const outages = faults.findIndex(({ kind }) => /Redis|S3/.test(kind));
  return faults.map((fault, index) =>
    long && index === Math.max(0, outages) ? { ...fault, lastsMs: LONG_MS } : fault,
  );
}

export const describeFault = ({ kind, host, lastsMs }: FleetFault, fleet: Fleet): string =>
  `${kind}${/(?:stop|kill) (?:Redis|S3)/.test(kind) ? '' : ` at ${fleet.hosts[host]?.name}`} for ${(lastsMs / 1000).toFixed(1)} s`;

/** Does it, and mends it again. Resolves when it is over. `busy`: hosts and servers that another fault has in hand. */
export async function befall(fault: FleetFault, fleet: Fleet, busy: Set<unknown>): Promise<void> {
  const host = fleet.hosts[fault.host];
  if (host === undefined) throw new RangeError('there is no such host');
  const { kind, lastsMs } = fault;
  const link = host.links[kind.endsWith('S3') ? 's3' : 'redis'];
  const server = kind.endsWith('S3') ? fleet.s3 : fleet.redis;
  const during = async (what: unknown, begin: () => unknown, end: () => unknown): Promise<void> => {
    if (busy.has(what)) return;
    busy.add(what);
    try {
      await begin();
      await sleep(lastsMs);
      await end();
    } finally {
      busy.delete(what);
    }
  };
  const heal = (): void => link.heal();
  switch (kind) {
    case 'power off':
      return during(
        host,
        () => host.site.powerOff(),
        () => host.site.restart(),
      );
    case 'kill process':
    case 'kill encoder':
    case 'kill primary':
      if (busy.has(host)) return;
      busy.add(host);
      try {
        await host.site.hurt(
          kind === 'kill process' ? 'process' : kind === 'kill encoder' ? 'encoder' : 'primary',
          fault.random,
        );
      } finally {
        busy.delete(host);
      }
      return;
    case 'pause process':
      return pause(host, during);
    case 'stop Redis':
    case 'stop S3':
    case 'kill Redis':
    case 'kill S3':
      return during(
        server,
        () => server.stop(kind.startsWith('stop') ? 'SIGTERM' : 'SIGKILL'),
        () => server.start(),
      );
    case 'cut Redis':
    case 'cut S3':
      return during(link, () => link.cut(), heal);
    case 'stall Redis':
    case 'stall S3':
      return during(link, () => link.stall(), heal);
    case 'slow Redis':
      return during(link, () => link.slow(150), heal);
  }
}

async function pause(
  host: Host,
  during: (what: unknown, begin: () => unknown, end: () => unknown) => Promise<void>,
): Promise<void> {
  const [victim] = forksOf(host.site.program.pid);
  if (victim === undefined) return;
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(victim, signal);
    } catch {
      // Another fault has killed it meanwhile.
    }
  };
  try {
    await during(
      host,
      () => send('SIGSTOP'),
      () => send('SIGCONT'),
    );
  } finally {
    send('SIGCONT');
  }
}
