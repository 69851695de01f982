// The settings, read once, all mistakes told together.

import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { isIP } from 'node:net';
import { z } from 'zod';
import { fieldErrors } from './lib/field-errors.ts';
import { MiB, settings } from './settings.ts';

export { settings } from './settings.ts';

const schema = z.object(settings);

type Settings = z.output<typeof schema>;

type Auto =
  | 'PROCESSES'
  | 'IMAGE_THREADS'
  | 'IMAGE_MEMORY_BYTES'
  | 'VIDEO_SLOTS'
  | 'FILM_SLOTS'
  | 'FETCH_SLOTS'
  | 'VIDEO_STREAMS';

/** The settings with everything that was `auto` decided. */
export interface Config extends Omit<Settings, Auto>, Readonly<Record<Auto, number>> {}

/** What the machine gives: cores and memory as the cgroup allows them. */
export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
}

/** All mistakes of the settings, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Settings that must not be seen in a message or a log. */
const SECRETS: ReadonlySet<string> = new Set(['URL_KEYS', 'WEBHOOK_SECRETS']);

/** Reads the settings from an environment. Throws ConfigError naming every setting that is wrong, and what it may be. */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  machine: Machine = thisMachine(),
): Config {
  // An empty variable is an unset one: `PORT= npm start` in a compose file means the default.
  const given = Object.fromEntries(
    Object.keys(settings).flatMap((name) =>
      env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]],
    ),
  );
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const lines = fieldErrors(parsed.error.issues, 'settings').map(({ field, message }) => {
      // A secret must not end up in a log.
      const came =
        given[field] === undefined || SECRETS.has(field) ? '' : ` (it is ${JSON.stringify(given[field])})`;
      return `  ${field}: ${message}${came}`;
    });
    throw new ConfigError(`These settings are wrong:\n${lines.join('\n')}`);
  }
  const value = parsed.data;
  const processes = value.PROCESSES ?? machine.cores;
  const videoSlots = value.VIDEO_SLOTS ?? Math.max(1, Math.floor(machine.cores / 2));
  return {
    ...value,
    DATA_DIR: resolve(value.DATA_DIR),
    PROCESSES: processes,
    IMAGE_THREADS: value.IMAGE_THREADS ?? Math.max(1, Math.floor(machine.cores / processes)),
    IMAGE_MEMORY_BYTES:
      value.IMAGE_MEMORY_BYTES ?? Math.max(64 * MiB, Math.floor((machine.memoryBytes * 0.6) / processes)),
    VIDEO_SLOTS: videoSlots,
    FILM_SLOTS: value.FILM_SLOTS ?? Math.max(1, Math.floor(videoSlots / 2)),
    FETCH_SLOTS: value.FETCH_SLOTS ?? 4 * processes,
    VIDEO_STREAMS: value.VIDEO_STREAMS ?? Math.max(1, Math.floor(videoSlots / processes)),
  };
}

/** libuv's pool is one per process and sharp works in it: its threads, and 4 for files and DNS. Must be set before the process starts. */
export function threadPoolSize(config: Pick<Config, 'IMAGE_THREADS'>): number {
  return config.IMAGE_THREADS + 4;
}

function thisMachine(): Machine {
  const limit = process.constrainedMemory();
  return { cores: availableParallelism(), memoryBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem() };
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
