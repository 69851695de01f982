// npm run purge -- SOURCE…: forgets every cached rendition of sources, such as remote ones that have changed.

import { join } from 'node:path';
import { readConfig } from '../src/config.ts';
import { normalReference, sourceMark } from '../src/lib/cache-key.ts';
import { openImageCache } from '../src/stores/image-cache.ts';

const sources = process.argv.slice(2);
if (sources.length === 0) {
  process.stderr.write(
    'npm run purge -- SOURCE…\n\n  SOURCE  an https URL, or upload:ID, as in the address\n',
  );
  process.exitCode = 2;
} else {
  const { DATA_DIR, CACHE_BYTES, PROCESSES } = readConfig(process.env);
  const cache = await openImageCache({
    root: join(DATA_DIR, 'cache'),
    maxBytes: CACHE_BYTES,
    processes: PROCESSES,
    onError: (error) => process.stderr.write(`${String(error)}\n`),
  });
  for (const source of sources) await cache.purge(sourceMark(normalReference(source)));
  await cache.close();
}
