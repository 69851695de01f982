// The hint bus of a process in a fleet: over the bus of its machine, and over Redis to all other machines.

import { z } from 'zod';
import type { Hint, HintBus } from '../contracts.ts';
import { isMark } from '../lib/cache-key.ts';
import { connectRedis } from './connection.ts';
import type { RedisConnectOptions } from './connection.ts';
import { tryWrite } from './writable.ts';

/**
 * What other machines are told. The rest would be a storm (`work`, `job`, `delivery`): a queue that many machines share
 * wakes those it needs itself, and polls catch up on what else there is.
 */
const carried = z.discriminatedUnion('topic', [
  z.object({ topic: z.literal('cancel'), id: z.string() }),
  z.object({ topic: z.literal('upload'), id: z.string() }),
  z.object({ topic: z.literal('quarantine'), fingerprint: z.string(), until: z.number() }),
  z.object({ topic: z.literal('abandoned'), owner: z.string() }),
  z.object({ topic: z.literal('purge'), source: z.string().refine(isMark) }),
]);
/** `from`: the machine. */
const message = z.object({ from: z.string(), hint: carried });

/** Every process of a fleet listens to it. */
export const channelOf = (prefix: string): string => `{${prefix}}:hints`;

export interface FleetHintsOptions {
  /** To the processes of this machine. */
  readonly local: HintBus;
  readonly url: string;
  /** What all names in Redis begin with. */
  readonly prefix: string;
  /** Of this machine: all its processes have the same. */
  readonly machine: string;
  readonly log: RedisConnectOptions['log'];
  /** Milliseconds between two looks whether whoever is listened to is still the primary. */
  readonly lookMs?: number;
}

export interface FleetHints extends HintBus {
  /** Resolves when other machines are heard. */
  readonly heard: Promise<void>;
  close(): Promise<void>;
}

/** Also notices a link that was cut and says nothing: a listener sends little else. */
const LOOK_MS = 5000;

/**
 * Publishing never throws nor waits. What is published while Redis is away never reaches the other machines: losing a hint
 * only costs time.
 */
export function fleetHints({
  local,
  url,
  prefix,
  machine,
  log,
  lookMs = LOOK_MS,
}: FleetHintsOptions): FleetHints {
  const channel = channelOf(prefix);
  const listeners = new Set<(hint: Hint) => void>();
  // Publishes too: RESP3, which every Redis since 6 speaks, lets a subscriber do so.
  const redis = connectRedis({ url, name: 'mediamill-hints', log });

  redis.on('message', (_channel: string, text: string) => {
    const hint = readMessage(text, machine);
    if (hint === undefined) return;
    // Each process of this machine has heard it itself: it is not passed on.
    for (const listener of listeners) {
      try {
        listener(hint);
      } catch (error) {
        log.warn({ err: error, topic: hint.topic }, 'a hint of another machine could not be followed');
      }
    }
  });
  const heard = Promise.withResolvers<void>();
  // Anew with each connection: the first may not live to hear the answer.
  redis.on('ready', () => {
    redis.subscribe(channel).then(
      () => heard.resolve(),
      () => undefined,
    );
  });

  // Listening and publishing work on a replica as well, which other machines do not hear: a write does not, and the
  // connection is made anew.
  const looking = setInterval(() => {
    if (redis.status === 'ready') tryWrite(redis, prefix).catch(() => undefined);
  }, lookMs);

  return {
    heard: heard.promise,
    publish(hint) {
      local.publish(hint);
      const { success, data } = carried.safeParse(hint);
      if (!success || redis.status !== 'ready') return;
      redis.publish(channel, JSON.stringify({ from: machine, hint: data })).catch(() => undefined);
    },
    subscribe(listener) {
      // Wrapped, so that one function subscribed twice is two subscriptions.
      const own = (hint: Hint): void => listener(hint);
      listeners.add(own);
      const unsubscribe = local.subscribe(listener);
      return () => {
        listeners.delete(own);
        unsubscribe();
      };
    },
    async close() {
      clearInterval(looking);
      listeners.clear();
      redis.disconnect();
    },
  };
}

/** Undefined for what this machine said itself, and for what this version does not know. */
function readMessage(text: string, machine: string): Hint | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = message.safeParse(value);
  return success && data.from !== machine ? data.hint : undefined;
}
