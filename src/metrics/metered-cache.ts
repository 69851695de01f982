// An image cache that counts what was found in it, and the bytes that came out of it.

import type { CacheContent, CacheEntry, ImageCache } from '../jobs/image-cache.ts';
import { isFresh } from '../lib/cache-key.ts';
import type { Metrics } from './metrics.ts';

export function meteredCache(
  cache: ImageCache,
  { cacheLookups, cacheBytes }: Pick<Metrics, 'cacheLookups' | 'cacheBytes'>,
): ImageCache {
  const looked = (found: CacheEntry | undefined): CacheEntry | undefined => {
    cacheLookups.add(1, found === undefined ? 'miss' : isFresh(found, Date.now()) ? 'hit' : 'stale');
    return found;
  };
  const counted = (content: CacheContent, from: string): CacheContent => {
    cacheBytes.add(content.entry.bytes, from);
    return content;
  };
  return {
    find(key) {
      const found = cache.find(key);
      // Without a promise where there was none.
      return found instanceof Promise ? found.then(looked) : looked(found);
    },
    async read(key) {
      const content = await cache.read(key);
      return content && counted(content, 'cache');
    },
    make: async (...what) => counted(await cache.make(...what), 'work'),
    purge: (source) => cache.purge(source),
    sweep: () => cache.sweep(),
    close: () => cache.close(),
  };
}
