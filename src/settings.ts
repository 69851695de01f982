// The table of settings: what each environment variable may be.

import { z } from 'zod';
import { fleetSettings } from './fleet-settings.ts';
import { parseHostNames } from './lib/host-names.ts';
import { parseReceiverHosts } from './lib/receiver-hosts.ts';
import { parseRemoteSources } from './lib/remote-sources.ts';
import { auto, count, flag, list, MiB } from './lib/setting-kinds.ts';
import { parseUrlKeys } from './lib/signed-url.ts';
import { parseWebhookSecrets } from './lib/webhook-signature.ts';

/** Each setting is an environment variable. `describe` is its line in the reference. */
export const settings = {
  PORT: count(0, 65_535).default(3000).describe('TCP port; 0 takes a free one'),
  HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address to listen on. Any but loopback needs an API key (`npm run keys`), or ALLOW_UNAUTHENTICATED',
    ),
  ALLOW_UNAUTHENTICATED: flag
    .default(false)
    .describe(
      'Serve beyond loopback though no key was ever made: anyone who reaches the port may use the server',
    ),
  DATA_DIR: z.string().min(1).default('data').describe('Folder of the database, sources and results'),
  ...fleetSettings,
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
  FETCH_SLOTS: auto(count(1, 1024)).describe(
    'Sources that are fetched by URL for jobs, at once on this machine; auto: 4 × PROCESSES',
  ),
  CHUNK_SLOTS: auto(count(1, 256)).describe(
    'Chunks of films, of whatever machine, that are encoded at once on this one, beside its own videos (QUEUE=bullmq); auto: cores',
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
  EVENT_STREAMS: count(1, 100_000)
    .default(1000)
    .describe('Streams of events that are open at once, per process; past it the answer is 503'),
  JOB_QUEUE: count(1, 10_000_000).default(10_000).describe('Jobs that may wait; past it the answer is 503'),
  JOB_TTL_SECONDS: count(1, 31_536_000)
    .default(86_400)
    .describe('How long a finished job and its results are kept'),
  IDEMPOTENCY_SECONDS: count(60, 2_592_000)
    .default(86_400)
    .describe('How long the answer to a request with an Idempotency-Key is kept for its repetitions'),
  UPLOAD_PART_TTL_SECONDS: count(1, 315_360_000)
    .default(86_400)
    .describe('How long an unfinished upload is kept after its last byte'),
  TENANT_OPEN_UPLOADS: count(1, 10_000_000)
    .default(1000)
    .describe(
      'Uploads of one tenant that are not finished, parts of others counted too until they are removed or expire; past it the answer is 429',
    ),
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
      'Origin whose pages may fetch results by script, as players of streams do, and send resumable uploads: `https://example.com`, or `*` for all. Once there are keys its pages must send one; without keys they may send anything that you may',
    ),
  ALLOW_HOSTS: list(parseHostNames)
    .optional()
    .describe(
      'Names, comma-separated, under which a proxy on this machine passes requests on. Needed only without keys and with HOST on loopback: there a request is answered only if its Host names this machine, so that no web page gets in by a name of its own',
    ),
  REMOTE_SOURCES: list(parseRemoteSources)
    .optional()
    .describe(
      'Where images and the sources of jobs may be fetched from, by https: `example.com`, `*.example.com` (hosts below it), `https://example.com/images/`; comma-separated. Public addresses only. Without it nothing is fetched',
    ),
  WEBHOOK_SECRETS: list(parseWebhookSecrets)
    .optional()
    .describe(
      'Secrets that sign webhooks which a job names for itself, as `whsec_` and 24 to 64 bytes in base64; comma-separated. All sign: put a new one in front and remove the old one later. They sign for the tenant `default`; each other tenant has secrets made of them, which GET /v1/webhooks/secrets tells it. Without it jobs cannot name a webhook',
    ),
  WEBHOOK_HOSTS: list(parseReceiverHosts)
    .optional()
    .describe(
      'Receivers of webhooks inside your own network, as `host` or `host:port`; comma-separated. Webhooks may go there by http too. Whoever may make webhooks can send requests to these hosts and sees the first 500 characters of the answers: name nothing but receivers. Without it webhooks go to public addresses only',
    ),
  URL_KEYS: list(parseUrlKeys)
    .optional()
    .describe(
      'Keys that sign image addresses, as `id:secret` with 32 to 256 hex digits, or `tenant/id:secret` for the stored sources of a tenant; comma-separated. `npm run sign` signs with the first, all are taken: put a new one in front and remove the old one later',
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
  TENANT_REQUESTS_PER_MINUTE: count(1, 1_000_000)
    .optional()
    .describe(
      'Requests of one tenant per minute, in all processes together; past it the answer is 429. Unset, as with the four below: no limit. `npm run keys -- limits` sets others for one tenant',
    ),
  TENANT_CONCURRENT_REQUESTS: count(1, 100_000)
    .optional()
    .describe(
      'Requests of one tenant that send something (POST, PATCH, PUT), at once; and as many streams of events',
    ),
  TENANT_ACTIVE_JOBS: count(1, 10_000_000).optional().describe('Jobs of one tenant that wait or run'),
  TENANT_BYTES_PER_DAY: count(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Bytes that one tenant may send, or have fetched for jobs, per day (UTC)'),
  TENANT_MINUTES_PER_DAY: count(1, 100_000_000)
    .optional()
    .describe('Minutes of video and sound that one tenant may have worked on per day (UTC)'),
  SHUTDOWN_SECONDS: count(1, 3600).default(20).describe('Time that requests and jobs get to end at a stop'),
  ADMIN_PORT: count(0, 65_535)
    .optional()
    .describe(
      'TCP port of `/metrics`, `/livez` and `/readyz` of all processes together, read-only and without keys; 0 takes a free one. Without it there is none',
    ),
  ADMIN_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address of ADMIN_PORT. Beyond loopback, whoever reaches it reads the figures'),
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
