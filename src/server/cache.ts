// The cache of renditions, and who is told when something of it is void.

import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageCache } from '../jobs/image-cache.ts';
import { removeFolder } from '../stores/cache-eviction.ts';
import { openImageCache } from '../stores/image-cache.ts';
import { openFleetCache } from '../stores/fleet-cache.ts';
import type { Backends } from './backends.ts';
import type { Life } from './life.ts';

export interface Renditions {
  /** Undefined where this process answers no requests. */
  readonly cache: ImageCache | undefined;
  /** Forgets what was made of a source, on all machines. */
  readonly purge: (source: string) => Promise<void>;
}

export async function openRenditions(life: Life, { fleet, hints }: Backends): Promise<Renditions> {
  const { config, stack, meter, log } = life;
  if (!life.isWeb) {
    return { cache: undefined, purge: (source) => fleet?.purges.add(source) ?? Promise.resolve() };
  }
  const root = join(config.DATA_DIR, 'cache');
  const own = await openImageCache({
    root,
    maxBytes: config.CACHE_BYTES,
    processes: config.PROCESSES,
    onError: (error) => log.warn({ err: error }, 'the image cache failed'),
  });
  stack.defer(() => own.close());
  const shared =
    fleet &&
    (await openFleetCache({
      cache: own,
      root,
      clear: async () => {
        const entries = join(root, 'entries');
        await removeFolder(entries, join(root, 'purged', randomUUID()));
        await mkdir(entries, { recursive: true });
      },
      purges: fleet.purges,
      hints,
      onError: (error) => log.warn({ err: error }, 'what other machines purged could not be read'),
    }));
  const cache = meter.cache(shared ?? own);
  stack.defer(() => cache.close());
  return { cache, purge: (source) => cache.purge(source) };
}
