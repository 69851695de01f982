// npm run purge -- [--tenant NAME] SOURCE…: forgets every cached rendition of sources, such as remote ones that have changed.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from '../src/config.ts';
import { DEFAULT_TENANT } from '../src/jobs/job.ts';
import { normalReference, sourceMark } from '../src/lib/cache-key.ts';
import { openImageCache } from '../src/stores/image-cache.ts';

const USAGE = `npm run purge -- [--tenant NAME] SOURCE…

  SOURCE    an https URL, or upload:ID, as in the address
  --tenant  whose key signed the address; by default those of keys without a tenant
`;

const given = read();
if (given === undefined || given.sources.length === 0) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else if (given.help) {
  process.stdout.write(USAGE);
} else {
  const { DATA_DIR, CACHE_BYTES, PROCESSES } = readConfig(process.env);
  const cache = await openImageCache({
    root: join(DATA_DIR, 'cache'),
    maxBytes: CACHE_BYTES,
    processes: PROCESSES,
    onError: (error) => process.stderr.write(`${String(error)}\n`),
  });
  for (const source of given.sources) await cache.purge(sourceMark(normalReference(source), given.tenant));
  await cache.close();
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
