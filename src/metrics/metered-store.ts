// A blob store that counts the bytes put into it, by what they are.

import type { Blob, BlobStore } from '../contracts.ts';
import type { Metrics } from './metrics.ts';

/** The first parts of our keys. */
const KINDS = new Set(['sources', 'results', 'uploads', 'chunks']);

export function meteredStore(store: BlobStore, { storedBytes }: Pick<Metrics, 'storedBytes'>): BlobStore {
  const counted = ({ key, bytes, ...blob }: Blob): Blob => {
    const kind = key.slice(0, Math.max(0, key.indexOf('/')));
    storedBytes.add(bytes, KINDS.has(kind) ? kind : 'other');
    return { key, bytes, ...blob };
  };
  return {
    put: async (...what) => counted(await store.put(...what)),
    adopt: async (...what) => counted(await store.adopt(...what)),
    copy: (...what) => store.copy(...what),
    async append(...what) {
      const written = await store.append(...what);
      storedBytes.add(Math.max(0, written.bytes - what[2].at), 'uploads');
      return written;
    },
    // Of pieces that were counted when they came.
    join: (...what) => store.join(...what),
    stat: (key) => store.stat(key),
    read: (...what) => store.read(...what),
    local: (...what) => store.local(...what),
    delete: (key) => store.delete(key),
    list: (prefix) => store.list(prefix),
    scratch: (name) => store.scratch(name),
    tidy: (owner) => store.tidy(owner),
    ...(store.link && { link: (...what) => store.link?.(...what) ?? Promise.resolve(undefined) }),
    free: () => store.free(),
    close: () => store.close(),
  };
}
