// Reads the events of the ledger in Redis for the feed: waits for them on a connection of its own, while somebody watches.

import { setTimeout as delay } from 'node:timers/promises';
import type { EventFilter, JobEvent } from '../contracts.ts';
import { connectRedis, unreachable } from '../redis/connection.ts';
import type { Redis } from '../redis/connection.ts';
import type { FeedReader, FeedTold } from './event-feed.ts';
import type { RedisLedger } from './redis-ledger.ts';
import type { QueueLog } from './runner.ts';

interface FeedOptions {
  readonly ledger: RedisLedger;
  /** The connection of calls. */
  readonly redis: Redis;
  readonly url: string;
  /** Of all keys, `{…}:`. */
  readonly prefix: string;
  readonly log: QueueLog;
  /** Redis has lost what it had last: it gives the sequences after `newest` again. */
  readonly onRewind?: () => void;
}

/** Events read at once, so that the event loop is never held for long. */
const BATCH = 500;
/** Milliseconds that Redis holds a question. */
const BLOCK = 10_000;
/** Milliseconds after which the connection counts as broken. */
const SILENCE = BLOCK + 5000;
/** Milliseconds that reading goes on when nobody watches any more: somebody is often back at once. */
const LINGER = 5000;
const PAUSE = 500;
/** Events remembered, to find out which of them Redis has lost: it loses no more than a second or two. */
const REMEMBERED = 500;

/** A stream's entry: its id, and its fields each before its value. */
type Entry = readonly [string, readonly string[]];

interface Reading {
  readonly connection: Redis;
  /** Up to here its events are told. */
  position: number | undefined;
  /** The last of them. */
  told: readonly JobEvent[];
  /** Whether Redis may have lost events since. */
  isDoubted: boolean;
  stopped: boolean;
  readonly begun: PromiseWithResolvers<number>;
}

export class RedisFeed implements FeedReader {
  readonly #options: FeedOptions;
  #tell: FeedTold = { events: () => undefined, rewind: () => undefined };
  #reading: Reading | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  begin(told: FeedTold): number | Promise<number> {
    clearTimeout(this.#linger);
    this.#tell = told;
    if (this.#reading?.position !== undefined) return this.#reading.position;
    this.close();
    const { url, log } = this.#options;
    const connection = connectRedis({ url, name: 'mediamill events', log, commandTimeout: SILENCE });
    const begun = Promise.withResolvers<number>();
    const reading = { connection, position: undefined, told: [], isDoubted: false, stopped: false, begun };
    this.#reading = reading;
    void this.#read(this.#reading);
    connection.on('close', () => (reading.isDoubted = true));
    return begun.promise;
  }

  end(): void {
    this.#tell = { events: () => undefined, rewind: () => undefined };
    this.#linger = setTimeout(() => this.close(), LINGER);
    this.#linger.unref();
  }

  /** Redis wakes us. */
  wake(): void {}

  /** Ends the reading at once. */
  close(): void {
    clearTimeout(this.#linger);
    if (this.#reading === undefined) return;
    this.#reading.stopped = true;
    this.#reading.connection.disconnect();
    this.#reading.begun.resolve(0);
    this.#reading = undefined;
  }

  /** The sequence of the newest event ever; what was asked of Redis before, here or elsewhere, has been done by then. */
  async newest(): Promise<number> {
    try {
      return Number((await this.#options.redis.get(`${this.#options.prefix}sequence`)) ?? 0);
    } catch (error) {
      throw unreachable(error);
    }
  }

  async past(
    position: number,
    until: number,
    limit: number,
    of: EventFilter | undefined,
  ): Promise<{ readonly events: readonly JobEvent[]; readonly isLost: boolean }> {
    const ofJob = of !== undefined && 'jobId' in of ? of.jobId : undefined;
    const ofTenant = of !== undefined && 'tenant' in of ? of.tenant : undefined;
    const kept =
      ofJob !== undefined ? `events:j:${ofJob}` : ofTenant !== undefined ? `events:t:${ofTenant}` : 'events';
    const answer = await this.#options.ledger.call('past', kept, position, until, limit);
    if (answer === null) return { events: [], isLost: true };
    const events =
      ofJob === undefined
        ? (answer as Entry[]).map((entry) => eventOf(entry, ofTenant))
        : (answer as string[]).map((text) => eventOfJob(ofJob, text));
    return { events, isLost: false };
  }

  async #read(reading: Reading): Promise<void> {
    const { prefix, log } = this.#options;
    const { connection } = reading;
    for (let complained = false; !reading.stopped; ) {
      try {
        reading.position ??= await this.newest();
        reading.begun.resolve(reading.position);
        // What is asked of a closed connection is sent when it is open again, which nobody would have looked back on.
        if (reading.isDoubted || !isOpen(connection)) {
          await this.#lookBack(reading);
          continue;
        }
        const after = `${reading.position}-0`;
        const answer = await connection.xread(
          'COUNT',
          BATCH,
          'BLOCK',
          BLOCK,
          'STREAMS',
          `${prefix}events`,
          after,
        );
        complained = false;
        const entries = (answer?.[0]?.[1] ?? []) as readonly Entry[];
        const events = entries.map((entry) => eventOf(entry));
        // It may have waited behind an event that is gone.
        if (events.length === 0) reading.isDoubted = true;
        if (reading.stopped || events.length === 0) continue;
        reading.position = events.at(-1)?.sequence ?? reading.position;
        reading.told = [...reading.told, ...events].slice(-REMEMBERED);
        this.#tell.events(events);
      } catch (error) {
        if (reading.stopped) return;
        if (!complained) log.warn({ err: error }, 'the events cannot be read at present');
        complained = true;
        reading.isDoubted = true;
        await delay(PAUSE);
      }
    }
  }

  /**
   * A Redis that lost its last second, as one with `appendfsync everysec` may in a power cut, gives sequences again, and may
   * have given more of them by now than it lost: goes back to the last event that it has as it was told.
   */
  async #lookBack(reading: Reading): Promise<void> {
    reading.isDoubted = false;
    const { told, position } = reading;
    const { prefix, onRewind } = this.#options;
    const newest = Number((await reading.connection.get(`${prefix}sequence`)) ?? 0);
    if (position === undefined) return;
    const isShort = newest < position;
    const [first] = told;
    const last = told.at(-1);
    // One that is not there any more was pruned.
    const [found] = isShort || last === undefined ? [] : await this.#kept(reading, position, position);
    if (!isShort && (found === undefined || found === JSON.stringify(last))) return;
    const kept = new Set(first === undefined ? [] : await this.#kept(reading, first.sequence, position));
    const same = told.findLast((event) => kept.has(JSON.stringify(event)));
    const before = first === undefined ? position : first.sequence - 1;
    const common = Math.min(newest, same?.sequence ?? before);
    if (reading.stopped) return;
    reading.position = common;
    reading.told = told.filter(({ sequence }) => sequence <= common);
    onRewind?.();
    this.#tell.rewind(common);
  }

  /** The events of Redis as texts that can be compared. */
  async #kept({ connection }: Reading, from: number, to: number): Promise<readonly string[]> {
    const answer = await connection.xrange(`${this.#options.prefix}events`, `${from}-0`, `${to}-0`);
    return (answer as readonly Entry[]).map((entry) => JSON.stringify(eventOf(entry)));
  }
}

function isOpen({ status, stream }: Redis): boolean {
  return status === 'ready' && stream.writable;
}

function eventOf([id, fields]: Entry, ofTenant?: string): JobEvent {
  const named = new Map<string, string>();
  for (let at = 0; at < fields.length; at += 2) named.set(fields[at] ?? '', fields[at + 1] ?? '');
  const output = named.get('o') ?? '';
  return {
    sequence: Number(id.slice(0, id.indexOf('-'))),
    jobId: named.get('j') ?? '',
    tenant: ofTenant ?? named.get('n') ?? '',
    ...(output !== '' && { output }),
    type: (named.get('t') ?? '') as JobEvent['type'],
    at: Number(named.get('a')),
  };
}

function eventOfJob(jobId: string, text: string): JobEvent {
  const [sequence, type, at, tenant, output] = JSON.parse(text) as [
    ...[number, JobEvent['type'], number | string, string, string],
  ];
  return { sequence, jobId, tenant, ...(output !== '' && { output }), type, at: Number(at) };
}
