// ImageCache in a folder: a file an entry, published by rename, made once at a time on the whole machine.

import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { CacheContent, CacheEntry, CacheKey, ImageCache } from '../jobs/image-cache.ts';
import { isFresh } from '../lib/cache-key.ts';
import { RecentMap } from '../lib/recent-map.ts';
import { evict, removeFolder } from './cache-eviction.ts';
import { encodeHead, readCacheFile, readCacheHead } from './cache-file.ts';
import { lockFree, takeLock } from './cache-lock.ts';
import type { CacheLock } from './cache-lock.ts';

export interface ImageCacheOptions {
  /** Absolute path; made if missing. */
  readonly root: string;
  /** Of all files together; for moments a little more, while processes write at the same time. */
  readonly maxBytes: number;
  /** That share the folder. */
  readonly processes: number;
  readonly onError: (error: unknown) => void;
}

type Work = Parameters<ImageCache['make']>[1];

/** An entry as it was seen last. */
interface Known {
  readonly entry: CacheEntry;
  readonly ino: number;
  /** Of the whole file, in bytes. */
  readonly size: number;
  /** By performance.now(). */
  checkedAt: number;
}

/** Without its bytes where another process made them. */
interface Made {
  readonly entry: CacheEntry;
  readonly data: Buffer | undefined;
}

/** For so long, in milliseconds, an entry is believed to be as it was: no look at the disk for each of thousands of requests. */
const TRUST_MS = 1000;
const MOST_KNOWN = 10_000;
/** The time of last use is written at most so often, in milliseconds. */
const TOUCH_EVERY_MS = 60_000;
const STRAY_AFTER_MS = 3_600_000;

/** Opens (and makes) the folder: `entries/{source}/{variant}`, and `purged/` for what is on its way out. */
export async function openImageCache(options: ImageCacheOptions): Promise<ImageCache> {
  await mkdir(join(options.root, 'entries'), { recursive: true });
  await mkdir(join(options.root, 'purged'), { recursive: true });
  return new DiskImageCache(options);
}

class DiskImageCache implements ImageCache {
  readonly #options: ImageCacheOptions;
  readonly #entries: string;
  readonly #purged: string;
  readonly #known = new RecentMap<string, Known>(MOST_KNOWN);
  readonly #looking = new Map<string, Promise<CacheEntry | undefined>>();
  readonly #making = new Map<string, Promise<Made>>();
  /** Since the last sweep. So that the first entry of a process starts one. */
  #written = Number.POSITIVE_INFINITY;
  #sweeping: Promise<void> | undefined;

  constructor(options: ImageCacheOptions) {
    this.#options = options;
    this.#entries = join(options.root, 'entries');
    this.#purged = join(options.root, 'purged');
  }

  find(key: CacheKey): CacheEntry | undefined | Promise<CacheEntry | undefined> {
    const name = nameOf(key);
    const known = this.#known.get(name);
    if (known !== undefined && performance.now() - known.checkedAt < TRUST_MS) return known.entry;
    const looking = this.#looking.get(name);
    if (looking !== undefined) return looking;
    const look = this.#look(name, known).finally(() => this.#looking.delete(name));
    this.#looking.set(name, look);
    return look;
  }

  async read(key: CacheKey): Promise<CacheContent | undefined> {
    const name = nameOf(key);
    const path = join(this.#entries, name);
    let file: FileHandle | undefined;
    try {
      file = await open(path);
      const known = this.#known.get(name);
      // What is known saves a look; if the file was replaced by one of another size since, one more try with the truth.
      for (const size of [known?.size, undefined]) {
        const content = await readCacheFile(file, size ?? (await file.stat()).size);
        if (content === undefined) continue;
        const { facts, bytes, body } = content;
        const storedAt =
          known?.entry.facts.etag === facts.etag ? known.entry.storedAt : (await file.stat()).mtimeMs;
        if (!Buffer.isBuffer(body)) file = undefined; // the stream closes it
        return { entry: { facts, bytes, storedAt }, body };
      }
      this.#known.delete(name);
      await rm(path, { force: true }); // damaged
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      this.#known.delete(name);
    } finally {
      await file?.close();
    }
    return undefined;
  }

  async make(key: CacheKey, work: Work): Promise<CacheContent> {
    const name = nameOf(key);
    for (;;) {
      let making = this.#making.get(name);
      if (making === undefined) {
        making = this.#makeOnce(key, work).finally(() => this.#making.delete(name));
        this.#making.set(name, making);
      }
      const { entry, data } = await making;
      if (data !== undefined) return { entry, body: data };
      const content = await this.read(key);
      if (content !== undefined) return content;
      // Evicted in this very moment.
    }
  }

  async purge(source: string): Promise<void> {
    await removeFolder(join(this.#entries, source), join(this.#purged, randomUUID()));
    for (const name of Array.from(this.#known.keys())) {
      if (name.startsWith(`${source}/`)) this.#known.delete(name);
    }
  }

  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepOnce().finally(() => {
      this.#sweeping = undefined;
      this.#count(0); // what was written meanwhile
    });
    return this.#sweeping;
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#making.values());
    while (this.#sweeping !== undefined) await this.#sweeping.catch(() => undefined);
  }

  async #look(name: string, known: Known | undefined): Promise<CacheEntry | undefined> {
    const path = join(this.#entries, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) {
      this.#known.delete(name);
      return undefined;
    }
    if (Date.now() - found.atimeMs > TOUCH_EVERY_MS) {
      utimes(path, new Date(), found.mtimeMs / 1000).catch(() => undefined); // evicted meanwhile
    }
    const checkedAt = performance.now();
    if (known !== undefined && isSame(known, found)) {
      known.checkedAt = checkedAt;
      return known.entry;
    }
    const head = await readCacheHead(path);
    if (head === undefined) return undefined;
    const { facts, bytes, ino, size, storedAt } = head;
    const entry: CacheEntry = { facts, bytes, storedAt };
    this.#known.set(name, { entry, ino, size, checkedAt });
    return entry;
  }

  /** Alone in this process; and as soon as it has the lock, on the machine. */
  async #makeOnce(key: CacheKey, work: Work): Promise<Made> {
    const lockPath = `${join(this.#entries, nameOf(key))}.lock`;
    for (;;) {
      const lock = await this.#lock(key, lockPath);
      if (lock === 'impossible') return uncached(await work(undefined));
      if (lock === 'held') await lockFree(lockPath);
      try {
        // Another process may have made it since this one looked.
        const stored = await this.#look(nameOf(key), undefined);
        if (stored !== undefined && isFresh(stored, Date.now())) return { entry: stored, data: undefined };
        if (lock !== 'held') return await this.#work(key, stored, work);
      } finally {
        if (lock !== 'held') await lock.release();
      }
    }
  }

  async #lock(key: CacheKey, lockPath: string): Promise<CacheLock | 'held' | 'impossible'> {
    for (let tries = 0; ; tries++) {
      try {
        await mkdir(join(this.#entries, key.source), { recursive: true });
        return (await takeLock(lockPath)) ?? 'held';
      } catch (error) {
        // The empty folder was cleared away between the two.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' && tries < 5) continue;
        this.#options.onError(error);
        return 'impossible';
      }
    }
  }

  async #work(key: CacheKey, stale: CacheEntry | undefined, work: Work): Promise<Made> {
    const name = nameOf(key);
    const path = join(this.#entries, name);
    const part = `${path}.${randomUUID()}.part`;
    // Made before the source is read. A purge takes it away with its folder; so whatever is published was read after
    // the last purge, and nothing of a source that is gone comes back.
    const file = await open(part, 'wx').catch((error: unknown) => this.#options.onError(error));
    try {
      const made = await work(stale);
      if (made === 'unchanged') {
        if (stale === undefined) throw new Error('nothing was stored that could be unchanged');
        const now = new Date();
        await utimes(path, now, now).catch(() => undefined); // evicted meanwhile
        this.#known.delete(name);
        return { entry: { ...stale, storedAt: now.getTime() }, data: undefined };
      }
      if (file === undefined) return uncached(made);
      const data = bufferOf(made.data);
      const head = encodeHead(made.facts, data.length);
      try {
        await file.writev([head, data]);
        await file.datasync();
        await rename(part, path);
        const { ino, size, mtimeMs } = await file.stat();
        const entry: CacheEntry = { facts: made.facts, bytes: data.length, storedAt: mtimeMs };
        this.#known.set(name, { entry, ino, size, checkedAt: performance.now() });
        this.#count(size);
        return { entry, data };
      } catch (error) {
        // No room, or purged meanwhile: the answer is as good as if it were kept.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#options.onError(error);
        return uncached(made);
      }
    } finally {
      await file?.close();
      await rm(part, { force: true });
    }
  }

  /** Sweeps in time: all processes together may add a tenth of the bound between two sweeps, which leave a tenth free. */
  #count(bytes: number): void {
    this.#written += bytes;
    const { maxBytes, processes, onError } = this.#options;
    if (this.#written < maxBytes / 10 / processes || this.#sweeping !== undefined) return;
    this.sweep().catch(onError);
  }

  async #sweepOnce(): Promise<void> {
    this.#written = 0;
    const { maxBytes } = this.#options;
    for (const left of await readdir(this.#purged)) {
      await rm(join(this.#purged, left), { recursive: true, force: true });
    }
    await evict({ folder: this.#entries, maxBytes, strayAfterMs: STRAY_AFTER_MS, now: Date.now() });
  }
}

function nameOf({ source, variant }: CacheKey): string {
  return `${source}/${variant}`;
}

/** Inodes are used again, so the time counts too; but writing the time of last use may round it. */
function isSame({ ino, size, entry }: Known, found: Stats): boolean {
  return ino === found.ino && size === found.size && Math.abs(entry.storedAt - found.mtimeMs) < 1;
}

function uncached(made: Awaited<ReturnType<Work>>): Made {
  if (made === 'unchanged') throw new Error('nothing was stored that could be unchanged');
  const data = bufferOf(made.data);
  return { entry: { facts: made.facts, bytes: data.length, storedAt: Date.now() }, data };
}

function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
