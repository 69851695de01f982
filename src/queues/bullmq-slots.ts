// The places for running jobs that a machine has, shared by its processes: held for a while, and renewed.

import { rest } from '../lib/pause.ts';
import { unreachable } from '../redis/connection.ts';
import type { Redis } from '../redis/connection.ts';
import { scriptsOf } from '../redis/scripts.ts';
import type { QueueLog } from './runner.ts';

/** KEYS: the places that are taken, by when they come free. ARGV: who, how many there are, now, until. */
const ENTER = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])
redis.call('PEXPIRE', KEYS[1], 2 * (ARGV[4] - ARGV[3]))
return 1
`;
/** KEYS: as above, each; ARGV: until, milliseconds until all is forgotten, then who, for each key. */
const RENEW = `
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, ARGV[1], ARGV[i + 2])
  redis.call('PEXPIRE', key, ARGV[2])
end
`;
/** ARGV: what the names of a dead owner begin with. */
const CLEAR = `
for _, who in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(who, 1, #ARGV[1]) == ARGV[1] then redis.call('ZREM', KEYS[1], who) end
end
`;

/**
 * Milliseconds that all processes of a machine need to be connected again, once Redis is back. One that does not know yet
 * that it was cut off finds out at its next renewal.
 */
const SETTLING = 1000;

export interface Slot {
  readonly kind: string;
  readonly who: string;
}

interface SlotsOptions {
  readonly redis: Redis;
  /** Of all keys, `{…}:`. */
  readonly prefix: string;
  readonly machine: string;
  readonly owner: string;
  readonly leaseSeconds: number;
  readonly now: () => number;
  readonly log: QueueLog;
  /** Milliseconds between looks for a free place, where nobody says that there is one. */
  readonly pollMilliseconds: number;
}

export class MachineSlots {
  readonly #options: SlotsOptions;
  readonly #scripts;
  readonly #held = new Set<Slot>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #renewNow = (): void => void this.#renew();
  #count = 0;
  /** When Redis answered last, by `performance.now()`. */
  #heardAt = performance.now();
  /** Until then no place is taken, by `performance.now()`. */
  #quietUntil = 0;

  constructor(options: SlotsOptions) {
    this.#options = options;
    this.#scripts = scriptsOf(options.redis, { enter: ENTER, renew: RENEW, clear: CLEAR });
    this.#timer = setInterval(this.#renewNow, this.#lease / 3);
    options.redis.on('ready', this.#renewNow);
  }

  /** One of the `limit` places of a kind, once one is free; undefined when the signal aborts. Rejects where Redis is away. */
  async wait(kind: string, limit: number, signal: AbortSignal): Promise<Slot | undefined> {
    while (!signal.aborted) {
      // Before the look, so that what comes free meanwhile is not missed.
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiting = this.#waiting.get(kind) ?? new Set();
      this.#waiting.set(kind, waiting.add(resolve));
      try {
        const slot = await this.#enter(kind, limit);
        if (slot !== undefined) return slot;
        const over = new AbortController();
        const stop = (): void => resolve();
        signal.addEventListener('abort', stop);
        const pause = this.#options.pollMilliseconds * (0.75 + Math.random() / 2);
        const poll = rest(pause, over.signal);
        if (!signal.aborted) await Promise.race([promise, poll]);
        signal.removeEventListener('abort', stop);
        over.abort();
      } finally {
        waiting.delete(resolve);
      }
    }
    return undefined;
  }

  /** A place has come free on this machine. */
  poke(kind: string): void {
    for (const wake of this.#waiting.get(kind) ?? []) wake();
  }

  /** Gives a place back. Where that fails, its lease does it. */
  async leave(slot: Slot): Promise<void> {
    if (!this.#held.delete(slot)) return;
    await this.#options.redis.zrem(this.#keyOf(slot.kind), slot.who).catch(() => undefined);
    this.poke(slot.kind);
  }

  /** Frees the places of a dead process of this machine. */
  async abandon(owner: string, kinds: readonly string[]): Promise<void> {
    for (const kind of kinds) {
      await this.#scripts.clear([this.#keyOf(kind)], [`${owner} `]);
      this.poke(kind);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#options.redis.off('ready', this.#renewNow);
    await Promise.all([...this.#held].map((slot) => this.leave(slot)));
  }

  async #enter(kind: string, limit: number): Promise<Slot | undefined> {
    // Of those whose lease ran out while this process hung: what they were for may still go on here.
    if ([...this.#held].filter((slot) => slot.kind === kind).length >= limit) return undefined;
    const slot = { kind, who: `${this.#options.owner} ${++this.#count}` };
    try {
      if (this.#isCutOff) await this.#show();
      if (performance.now() < this.#quietUntil) return undefined;
      const now = this.#options.now();
      const got = await this.#scripts.enter([this.#keyOf(kind)], [slot.who, limit, now, now + this.#lease]);
      this.#hear();
      if (got !== 1) return undefined;
    } catch (error) {
      throw unreachable(error);
    }
    this.#held.add(slot);
    return slot;
  }

  async #renew(): Promise<void> {
    try {
      await this.#show();
    } catch (error) {
      this.#options.log.warn({ err: unreachable(error) }, 'the places of this process could not be renewed');
    }
  }

  /** Shows that this process and what it holds is alive. */
  async #show(): Promise<void> {
    const { redis, now } = this.#options;
    const held = [...this.#held];
    const keys = held.map(({ kind }) => this.#keyOf(kind));
    const who = held.map((slot) => slot.who);
    if (held.length === 0) await redis.ping();
    else await this.#scripts.renew(keys, [now() + this.#lease, 2 * this.#lease, ...who]);
    this.#hear();
    // Given back meanwhile: no lease is to hold it.
    for (const slot of held) if (!this.#held.has(slot)) await redis.zrem(this.#keyOf(slot.kind), slot.who);
  }

  /**
   * After an outage or a pause of the machine the leases of all its processes look run out. Who is alive shows it first;
   * until then nobody takes what only looks free.
   */
  #hear(): void {
    const wasCutOff = this.#isCutOff;
    this.#heardAt = performance.now();
    if (wasCutOff) this.#quietUntil = this.#heardAt + this.#lease / 3 + SETTLING;
  }

  /** Early enough: a call may wait until Redis is back, and others' last renewals are older than ours. */
  get #isCutOff(): boolean {
    return performance.now() - this.#heardAt > this.#lease / 2;
  }

  get #lease(): number {
    return this.#options.leaseSeconds * 1000;
  }

  #keyOf(kind: string): string {
    return `${this.#options.prefix}slots:${this.#options.machine}:${kind}`;
  }
}
