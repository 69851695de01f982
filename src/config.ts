// The settings: one schema, read once, all mistakes told together.

import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { isIP } from 'node:net';
import { z } from 'zod';
import { fieldErrors } from './lib/field-errors.ts';
import { parseRemoteSources } from './lib/remote-sources.ts';
import { parseUrlKeys } from './lib/signed-url.ts';

const MiB = 1024 * 1024;
const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const auto = <T extends z.ZodType>(schema: T) =>
  z.union([z.literal('auto').transform(() => undefined), schema]).optional();
const flag = z.stringbool();
/** Text that `read` takes apart; its Error's message is the mistake. */
const list = <T>(read: (text: string) => T) =>
  z.string().transform((text, context): T => {
    try {
      return read(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });

/** Each setting is an environment variable. `describe` is its line in the reference. */
export const settings = {
  PORT: count(0, 65_535).default(3000).describe('TCP port; 0 takes a free one'),
  HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on. Any but loopback needs ALLOW_UNAUTHENTICATED'),
  ALLOW_UNAUTHENTICATED: flag
    .default(false)
    .describe('Serve beyond loopback without keys: anyone who reaches the port may use the server'),
  DATA_DIR: z.string().min(1).default('data').describe('Folder of the database, sources and results'),
  PRESETS_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('JSON file of presets: `{ "name": { "outputs": { … } } }`; read again by SIGHUP'),
  PROCESSES: auto(count(1, 256)).describe('Fastify processes; auto: one per available core'),
  IMAGE_THREADS: auto(count(1, 64)).describe(
    'Image threads per process; auto: cores ÷ processes, at least 1',
  ),
  IMAGE_QUEUE: count(0, 10_000)
    .default(64)
    .describe('Images per process that may wait for a thread; past it the answer is 503'),
  IMAGE_MAX_BYTES: count(1024, 1024 * MiB)
    .default(25 * MiB)
    .describe('Largest image upload in bytes'),
  IMAGE_MAX_PIXELS: count(1, 1_000_000_000)
    .default(50_000_000)
    .describe('Most pixels of a source (width × height × frames) and of a rendition'),
  IMAGE_MAX_FRAMES: count(1, 10_000).default(256).describe('Most frames of an animated source'),
  ALLOW_SVG: flag
    .default(false)
    .describe('Take SVG sources and rasterise them. They are programs: only for sources that you trust'),
  IMAGE_MEMORY_BYTES: auto(count(64 * MiB, 1024 * 1024 * MiB)).describe(
    'Decoded pixels (width × height × 4 × frames) that all images in work in one process may take; auto: 60 % of the memory ÷ processes',
  ),
  IMAGE_DEADLINE_SECONDS: z.coerce
    .number()
    .min(0.1)
    .max(600)
    .default(10)
    .describe('An image that takes longer costs its process, which is replaced at once'),
  VIDEO_MAX_BYTES: count(1024, 1024 * 1024 * MiB)
    .default(2048 * MiB)
    .describe('Largest video upload in bytes'),
  VIDEO_MAX_SECONDS: count(1, 604_800).default(14_400).describe('Longest video in seconds'),
  VIDEO_MAX_PIXELS: count(1, 1_000_000_000).default(33_177_600).describe('Most pixels of one video frame'),
  VIDEO_SLOTS: auto(count(1, 256)).describe(
    'FFmpeg jobs at once on this machine, all processes together, films not counted; auto: cores ÷ 2, at least 1',
  ),
  FILM_SLOTS: auto(count(1, 256)).describe(
    'Long videos at once on this machine, beside the short ones; auto: VIDEO_SLOTS ÷ 2, at least 1',
  ),
  FILM_SECONDS: count(1, 604_800)
    .default(120)
    .describe(
      'A job whose work is longer than so many seconds of 1080p30 video (pixels × frames of all its outputs) goes to the lane of films, so that short ones need not wait for it',
    ),
  VIDEO_STREAMS: auto(count(1, 256)).describe(
    'Videos that are streamed while they are encoded (delivery=stream), at once and per process; past it the answer is 503; auto: VIDEO_SLOTS ÷ PROCESSES, at least 1',
  ),
  VIDEO_TIMEOUT_SECONDS: count(1, 604_800).default(21_600).describe('Longest time one FFmpeg may run'),
  VIDEO_CHUNKS: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe(
      'auto: encode in parallel chunks where that is faster, which also keeps finished chunks over a crash; off: never',
    ),
  FFMPEG_PATH: z.string().min(1).default('ffmpeg').describe('The FFmpeg to use (5.1 or later)'),
  FFPROBE_PATH: z.string().min(1).default('ffprobe').describe('The ffprobe to use'),
  JOB_ATTEMPTS: count(1, 10).default(3).describe('Attempts a job gets when processes die under it'),
  JOB_LEASE_SECONDS: count(1, 3600)
    .default(15)
    .describe('A job whose process gives no sign of life for so long is taken over'),
  JOB_QUEUE: count(1, 10_000_000).default(10_000).describe('Jobs that may wait; past it the answer is 503'),
  JOB_TTL_SECONDS: count(1, 31_536_000)
    .default(86_400)
    .describe('How long a finished job and its results are kept'),
  UPLOAD_TTL_SECONDS: count(1, 315_360_000)
    .default(604_800)
    .describe('How long a stored upload can be used as a source'),
  ALLOW_ORIGIN: z
    .string()
    .regex(
      /^(?:\*|https?:\/\/[a-z0-9.-]+(?::\d{1,5})?)$/i,
      'must be `*` or an origin such as `https://example.com`',
    )
    .optional()
    .describe(
      'Origin whose pages may fetch results by script, as players of streams do: `https://example.com`, or `*` for all. Results have addresses that cannot be guessed',
    ),
  REMOTE_SOURCES: list(parseRemoteSources)
    .optional()
    .describe(
      'Where images may be fetched from, by https: `example.com`, `*.example.com` (hosts below it), `https://example.com/images/`; comma-separated. Public addresses only. Without it nothing is fetched',
    ),
  URL_KEYS: list(parseUrlKeys)
    .optional()
    .describe(
      'Keys that sign image addresses, as `id:secret` with 32 to 256 hex digits; comma-separated. `npm run sign` signs with the first, all are taken: put a new one in front and remove the old one later',
    ),
  URL_UNSIGNED: flag
    .default(false)
    .describe('Take image addresses with `unsigned` as their signature: anyone may have any rendition made'),
  URL_PRESETS_ONLY: flag.default(false).describe('Image addresses may ask for presets only'),
  CACHE_BYTES: count(MiB, 1024 * 1024 * MiB)
    .default(1024 * MiB)
    .describe('Most bytes of the cache of renditions that were fetched by address'),
  CACHE_MAX_AGE_SECONDS: count(0, 31_536_000)
    .default(86_400)
    .describe(
      'How long such a rendition is fresh: `max-age`, and for a remote source until it is looked at again',
    ),
  CACHE_STALE_SECONDS: count(0, 31_536_000)
    .default(86_400)
    .describe('How long a stale one is answered while it is made anew: `stale-while-revalidate`'),
  FALLBACK_IMAGE: z
    .string()
    .min(1)
    .optional()
    .describe('Picture that is shown, as it is, where the source of an image address is missing or broken'),
  REQUEST_TIMEOUT_SECONDS: count(1, 86_400)
    .default(30)
    .describe('A body that is slower than MIN_UPLOAD_RATE for so long is given up'),
  MIN_UPLOAD_RATE: count(1, 1_000_000_000).default(1024).describe('Least bytes per second of an upload'),
  SHUTDOWN_SECONDS: count(1, 3600).default(20).describe('Time that requests and jobs get to end at a stop'),
  TRUST_PROXY: flag.default(false).describe('Believe X-Forwarded-* of the proxy in front'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least severity that is logged'),
  LOG_FORMAT: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .describe('auto: pretty in a terminal, JSON elsewhere'),
} as const;

const schema = z.object(settings).superRefine((value, context) => {
  if (!isLoopback(value.HOST) && !value.ALLOW_UNAUTHENTICATED) {
    context.addIssue({
      code: 'custom',
      path: ['HOST'],
      message: `${value.HOST} is reachable from other machines, and nothing asks callers who they are. Keep HOST=127.0.0.1 behind a proxy that does, or set ALLOW_UNAUTHENTICATED=true if that is what you want`,
    });
  }
});

type Settings = z.output<typeof schema>;

type Auto =
  | 'PROCESSES'
  | 'IMAGE_THREADS'
  | 'IMAGE_MEMORY_BYTES'
  | 'VIDEO_SLOTS'
  | 'FILM_SLOTS'
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
        given[field] === undefined || field === 'URL_KEYS' ? '' : ` (it is ${JSON.stringify(given[field])})`;
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

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
