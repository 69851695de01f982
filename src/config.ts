// The settings, read once, all mistakes told together.

import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { isIP } from 'node:net';
import { z } from 'zod';
import { fieldErrors } from './lib/field-errors.ts';
import { ALL_LANES } from './fleet-settings.ts';
import { MiB } from './lib/setting-kinds.ts';
import { settings } from './settings.ts';

export { settings } from './settings.ts';

const schema = z.object(settings).superRefine((value, context) => {
  const missing = (path: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [path], message });
  };
  if (value.QUEUE === 'bullmq' && value.REDIS_URL === undefined) {
    missing('REDIS_URL', 'is needed for QUEUE=bullmq: `redis://host:6379`');
  }
  if (value.STORE === 's3' && value.S3_BUCKET === undefined) missing('S3_BUCKET', 'is needed for STORE=s3');
  if ((value.S3_ACCESS_KEY === undefined) !== (value.S3_SECRET_KEY === undefined)) {
    missing('S3_SECRET_KEY', 'must be set together with S3_ACCESS_KEY, or neither');
  }
  const doesAll = value.ROLES.length > 1 && value.LANES.length === ALL_LANES;
  if (value.QUEUE === 'bullmq' && value.STORE === 'disk' && !doesAll) {
    missing(
      'STORE',
      'must be `s3` where ROLES or LANES are not all: no other machine sees files in DATA_DIR',
    );
  }
  if (value.QUEUE === 'sqlite' && value.ROLES.length < 2) {
    missing('ROLES', 'must be `web,work` with QUEUE=sqlite: no other machine sees its jobs');
  }
  if (value.QUEUE === 'sqlite' && value.LANES.length < ALL_LANES) {
    missing('LANES', 'must be all with QUEUE=sqlite: no other machine sees its jobs');
  }
});

type Settings = z.output<typeof schema>;

type Auto =
  | 'PROCESSES'
  | 'IMAGE_THREADS'
  | 'IMAGE_MEMORY_BYTES'
  | 'VIDEO_SLOTS'
  | 'FILM_SLOTS'
  | 'FETCH_SLOTS'
  | 'CHUNK_SLOTS'
  | 'VIDEO_STREAMS';

/** The settings with everything that was `auto` decided. */
export interface Config extends Omit<Settings, Auto | 'S3_PATH_STYLE'>, Readonly<Record<Auto, number>> {
  readonly S3_PATH_STYLE: boolean;
}

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
const SECRETS: ReadonlySet<string> = new Set([
  'URL_KEYS',
  'WEBHOOK_SECRETS',
  'REDIS_URL',
  'S3_ACCESS_KEY',
  'S3_SECRET_KEY',
]);

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
    CHUNK_SLOTS: value.CHUNK_SLOTS ?? machine.cores,
    S3_PATH_STYLE: value.S3_PATH_STYLE ?? value.S3_ENDPOINT !== undefined,
    VIDEO_STREAMS: value.VIDEO_STREAMS ?? Math.max(1, Math.floor(videoSlots / processes)),
  };
}

/** What works on one machine, and would not on several: settings that are right only where a person has seen to the rest. */
export function adviceOn({
  QUEUE,
  STORE,
  ROLES,
  LANES,
}: Pick<Config, 'QUEUE' | 'STORE' | 'ROLES' | 'LANES'>): readonly string[] {
  const advice: string[] = [];
  if (QUEUE === 'bullmq' && STORE === 'disk') {
    advice.push(
      'QUEUE=bullmq with STORE=disk: another machine finds no file of this one, unless DATA_DIR/store is one folder for all. Set STORE=s3 for more than one machine',
    );
  }
  if (!ROLES.includes('work') && LANES.length < ALL_LANES) {
    advice.push(
      `LANES=${LANES.join(',')} does nothing with ROLES=${ROLES.join(',')}: this machine runs no jobs. Add the role work, or unset LANES`,
    );
  }
  return advice;
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
