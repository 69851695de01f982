// Machines that share parts of jobs over one Redis, a fleet of its own for each test, and hands that do the parts.

import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { HintBus, PartHandler, WorkPart } from '../../src/contracts.ts';
import { advance, newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { bullParts } from '../../src/queues/bullmq-parts.ts';
import type { BullParts } from '../../src/queues/bullmq-parts.ts';
import { MachineSlots } from '../../src/queues/bullmq-slots.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import type { Redis } from '../../src/redis/connection.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

export const POLICY = { maxAttempts: 3, ttlSeconds: 60 };
const LEASE_MS = 1500;
const quiet = { warn: () => undefined, error: () => undefined };

interface Machine {
  readonly parts: BullParts;
  /** As if its power were cut. */
  die(): void;
}

interface PartFleet {
  readonly server: TestRedis;
  /** As an operator's redis-cli would be. */
  readonly watcher: Redis;
  /** Of the keys of this test's fleet, `{…}:`. */
  readonly prefix: string;
  readonly jobs: Map<string, Job>;
  /** A running job. */
  job(id: string): Job;
  end(id: string): void;
  /** A further one; closed after the test. */
  machine(name?: string, leaseMs?: number): Machine;
  /** Resolves when a machine takes parts. */
  taking(kind?: string): Promise<void>;
  /** What is left in Redis of parts and of who shared them. */
  left(): Promise<string[]>;
}

/** Call it where tests are described. */
export function partFleet(): PartFleet {
  let server: TestRedis;
  let watcher: Redis;
  let fleets = 0;
  let prefix: string;
  let hints: HintBus;
  const jobs = new Map<string, Job>();
  const closers: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    server = await startRedis();
    watcher = connectRedis({ url: server.url, name: 'test', log: quiet });
  });
  beforeEach(() => {
    prefix = `{parts-${fleets++}}:`;
    hints = localHints();
    jobs.clear();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });
  afterAll(async () => {
    watcher.disconnect();
    await server[Symbol.asyncDispose]();
  });

  return {
    get server() {
      return server;
    },
    get watcher() {
      return watcher;
    },
    get prefix() {
      return prefix;
    },
    jobs,

    job(id) {
      const source = {
        key: `sources/${id}`,
        name: null,
        mediaType: 'video/mp4',
        bytes: 1,
        width: null,
        height: null,
        durationSeconds: null,
      };
      const queued = newJob({ id, tenant: 'default', lane: 'film', source, recipe: { outputs: {} } }, 1);
      const running = advance(queued, { type: 'start' }, 2, POLICY);
      jobs.set(id, running);
      return running;
    },

    end(id) {
      const job = jobs.get(id);
      if (job !== undefined) jobs.set(id, advance(job, { type: 'cancelled' }, 3, POLICY));
    },

    machine(name = `machine-${closers.length}`, leaseMs = LEASE_MS) {
      const calls = connectRedis({ url: server.url, name, log: quiet });
      const blocking = connectRedis({ url: server.url, name, log: quiet, commandTimeout: 0 });
      const slots = new MachineSlots({
        redis: calls,
        prefix,
        machine: name,
        owner: name,
        leaseSeconds: leaseMs / 1000,
        now: Date.now,
        log: quiet,
        pollMilliseconds: 50,
      });
      const parts = bullParts({
        redis: calls,
        blocking,
        slots,
        owner: name,
        prefix,
        leaseMs,
        maxAttempts: POLICY.maxAttempts,
        read: async (id) => jobs.get(id),
        hints,
        log: quiet,
      });
      let isDead = false;
      closers.push(async () => {
        if (!isDead) await parts.close();
        await slots.close();
        calls.disconnect();
        blocking.disconnect();
      });
      return {
        parts,
        die() {
          isDead = true;
          calls.disconnect();
          blocking.disconnect();
          void parts.close();
        },
      };
    },

    async taking(kind = 'k1') {
      await eventually('somebody takes parts', async () => watcher.exists(`${prefix}hands:${kind}`));
    },

    async left() {
      const keys = await watcher.keys(`${prefix}bull:*`);
      return keys.filter((key) =>
        /:(?:chunk|shared)-k1:(?:j|waiting-children|wait$|prioritized$|active$|delayed$)/.test(key),
      );
    },
  };
}

export const part = (name: string, task: unknown = null): WorkPart => ({ name, task });
export const names = (count: number): WorkPart[] =>
  Array.from({ length: count }, (_, index) => part(`part-${index}`, index));

/** Does parts when it is told to, one `finish` for each; notes who did what. */
export class Hands implements PartHandler {
  readonly begun: string[] = [];
  readonly ended: string[] = [];
  readonly stopped: string[] = [];
  readonly discarded: string[] = [];
  readonly #kind: string;
  readonly #does: (name: string, times: number) => Promise<void>;
  atOnce = 0;
  most = 0;

  constructor(does: (name: string, times: number) => Promise<void> = async () => undefined, kind = 'k1') {
    this.#does = does;
    this.#kind = kind;
  }

  async kind(): Promise<string> {
    return this.#kind;
  }

  async run(
    { name }: Parameters<PartHandler['run']>[0],
    { signal, progress }: Parameters<PartHandler['run']>[1],
  ): Promise<void> {
    this.begun.push(name);
    this.most = Math.max(this.most, ++this.atOnce);
    progress(0.5, 2);
    try {
      const times = this.begun.filter((each) => each === name).length;
      await Promise.race([this.#does(name, times), aborted(signal)]);
      this.ended.push(name);
    } catch (error) {
      if (signal.aborted) this.stopped.push(name);
      throw error;
    } finally {
      this.atOnce--;
    }
  }

  async discard(jobId: string): Promise<void> {
    this.discarded.push(jobId);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
  });
}

/** Never ends by itself. */
export const forever = (): Promise<void> => new Promise(() => undefined);

interface Shared {
  readonly told: Map<string, number[]>;
  readonly aborter: AbortController;
  readonly ended: Promise<void>;
}

/** Shares parts from a machine, as whoever has taken the job. */
export function share(
  machine: Machine,
  jobId: string,
  parts: readonly WorkPart[],
  kind = 'k1',
  priority = 0,
): Shared {
  const told = new Map<string, number[]>();
  const aborter = new AbortController();
  const ended = machine.parts.share({ id: jobId, priority }, aborter.signal)(parts, {
    kind,
    told: (name, progress) => void told.set(name, [...(told.get(name) ?? []), progress]),
  });
  ended.catch(() => undefined);
  return { told, aborter, ended };
}
