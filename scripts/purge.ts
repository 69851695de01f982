// npm run purge -- [--tenant NAME] SOURCE…: forgets every cached rendition of sources, such as remote ones that have changed.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError, readConfig } from '../src/config.ts';
import type { Config } from '../src/config.ts';
import { DEFAULT_TENANT } from '../src/jobs/job.ts';
import { createPurgeLog } from '../src/jobs/purge-log.ts';
import { normalReference, sourceMark } from '../src/lib/cache-key.ts';
import { enterPlace } from '../src/move/enter.ts';
import { Problem } from '../src/problems.ts';
import { openRedisPulse } from '../src/redis/pulse.ts';
import { openRecords } from '../src/registers/open.ts';
import { openImageCache } from '../src/stores/image-cache.ts';

const USAGE = `npm run purge -- [--tenant NAME] SOURCE…

  SOURCE    an https URL, or upload:ID, as in the address
  --tenant  whose key signed the address; by default those of keys without a tenant

With QUEUE=bullmq all machines forget them: those that run within seconds, others when they start.
`;

const log = { warn: (_fields: object, message: string) => void process.stderr.write(`${message}\n`) };

const given = read();
if (given === undefined || given.sources.length === 0) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else if (given.help) {
  process.stdout.write(USAGE);
} else {
  const config = readConfig(process.env);
  const { tenant } = given;
  const marks = given.sources.map((source) => sourceMark(normalReference(source), tenant));
  try {
    using _ = await enterPlace(config);
    await (config.QUEUE === 'bullmq' ? purgeFleet(config, marks) : purgeHere(config, marks));
  } catch (error) {
    if (!(error instanceof Problem || error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
  }
}

async function purgeHere(
  { DATA_DIR, CACHE_BYTES, PROCESSES }: Config,
  marks: readonly string[],
): Promise<void> {
  const cache = await openImageCache({
    root: join(DATA_DIR, 'cache'),
    maxBytes: CACHE_BYTES,
    processes: PROCESSES,
    onError: (error) => process.stderr.write(`${String(error)}\n`),
  });
  for (const mark of marks) await cache.purge(mark);
  await cache.close();
}

/** Written down for all machines, this one too: each looks every few seconds. */
async function purgeFleet(config: Config, marks: readonly string[]): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const pulse = await openRedisPulse({
    url: config.REDIS_URL ?? '',
    prefix: config.REDIS_PREFIX,
    log,
  });
  stack.defer(() => pulse.close());
  const records = await openRecords(config, log);
  stack.defer(() => records.close());
  const hints = { publish: () => undefined };
  const purges = createPurgeLog({ records, hints, time: () => pulse.time() });
  for (const mark of marks) await purges.add(mark);
}

function read() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        tenant: { type: 'string', default: DEFAULT_TENANT },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return { ...values, sources: values.help ? ['-'] : positionals };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n`);
    return undefined;
  }
}
