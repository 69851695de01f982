// Lets segments on S3 grow: by an object for each part that has come, small ones made into larger ones on the way.

import type { SegmentStore } from '../contracts.ts';
import { limited } from '../lib/limited-body.ts';
import { asProblem, missing, tooShort } from './disk-files.ts';
import { partSpool } from './part-spool.ts';
import type { PartSpool, PartSpoolOptions } from './part-spool.ts';
import type { S3 } from './s3-client.ts';
import { cut, extentOf, nextGeneration, partKey, readLayout } from './s3-layout.ts';
import type { SegmentPart } from './s3-layout.ts';
import { PART_BYTES, partBytes } from './s3-multipart.ts';
import { readObject } from './s3-read.ts';

/** What comes slowly is made durable after so long, in milliseconds, although it is no whole part. */
const KEEP_EVERY_MS = 5000;
/** Objects that say nothing any more are removed when there are so many: whoever reads the segment passes them all. */
const STALE_AT_ONCE = 100;

export interface S3AppendOptions extends PartSpoolOptions {
  readonly s3: S3;
  /** Of the disk of parts that are being collected. */
  readonly free: () => Promise<number>;
  readonly now?: () => number;
}

export function appendToS3(options: S3AppendOptions): SegmentStore['append'] {
  const { free } = options;
  return async (key, body, { at, maxBytes, kept }) => {
    let durable = at;
    let closed = true;
    let failure: unknown;
    try {
      await using segment = await openSegment(options, key, at);
      const told = async (): Promise<void> => {
        if (segment.durable() === durable) return;
        durable = segment.durable();
        await kept?.(durable);
      };
      try {
        let keptAt = performance.now();
        for await (const chunk of limited(body, maxBytes, free)) {
          await segment.write(chunk);
          const isLate = performance.now() - keptAt >= KEEP_EVERY_MS;
          if (isLate) await segment.flush();
          if (isLate || segment.durable() > durable) keptAt = performance.now();
          await told();
        }
      } catch (error) {
        failure = asProblem(error);
      }
      try {
        // Also what came before a break: it counts.
        await segment.end();
      } finally {
        closed = segment.closed();
        await told();
      }
    } catch (error) {
      failure ??= asProblem(error);
    }
    return { bytes: durable, failure, closed };
  };
}

interface OpenSegment extends AsyncDisposable {
  /** Bytes of it that S3 has. */
  durable(): number;
  /** False once a part was sent of which nobody knows whether S3 still writes it. */
  closed(): boolean;
  write(chunk: Uint8Array): Promise<void>;
  flush(): Promise<void>;
  end(): Promise<void>;
}

/** An old segment is never made anew: if it is gone, so is the upload. */
async function openSegment(options: S3AppendOptions, key: string, at: number): Promise<OpenSegment> {
  const { s3, now = Date.now } = options;
  const found = await readLayout(s3, key);
  const parts = [...(found?.parts ?? [])];
  const extent = extentOf(parts);
  if (extent < at) throw tooShort(extent, at);
  const stale = [...(found?.stale ?? []), ...cut(parts, at).map((part) => part.key)];
  let newest = found?.newest ?? 0;
  // Of an empty one, and of one that becomes shorter, S3 must be told although nothing comes.
  let isTold = extent === at && found !== undefined;
  let spool = partSpool(options);
  let writing: Promise<void> = Promise.resolve();
  let durable = at;
  let isKnown = true;

  /** Small parts before it become one with it, each time with no more than it has: a byte is written again a few times at most. */
  function withThoseBefore(bytes: number): SegmentPart[] {
    const taken: SegmentPart[] = [];
    let total = bytes;
    for (let last = parts.at(-1); last !== undefined; last = parts.at(-1)) {
      if (last.bytes > total || total + last.bytes > PART_BYTES) break;
      taken.unshift(last);
      total += last.bytes;
      parts.pop();
    }
    return taken;
  }

  async function store(part: PartSpool, from: number): Promise<void> {
    await using own = part;
    const before = [...parts];
    const merged = withThoseBefore(own.bytes);
    const start = merged[0]?.start ?? from;
    try {
      newest = nextGeneration(newest, now());
      const object = { key: partKey(key, newest, start), generation: newest, start };
      await own.use(
        async (bytes) => {
          for (const each of merged) await readInto(bytes, each.start - start, s3, each);
          isKnown = false;
          await s3.put(object.key, bytes);
          isKnown = true;
        },
        { ahead: from - start },
      );
      parts.push({ ...object, bytes: from + own.bytes - start });
      stale.push(...merged.map((each) => each.key));
      durable = from + own.bytes;
      isTold = true;
      if (stale.length >= STALE_AT_ONCE) await forget();
    } catch (error) {
      parts.splice(0, parts.length, ...before);
      throw error;
    }
  }

  /** Nothing follows from them any more; what cannot be removed now goes with the segment. */
  async function forget(): Promise<void> {
    await s3.delete(stale.splice(0)).catch(() => undefined);
  }

  let collectedFrom = at;
  /** The next part is collected while this one is written. */
  async function cutOff(): Promise<void> {
    await writing;
    const [part, from] = [spool, collectedFrom];
    spool = partSpool(options);
    collectedFrom += part.bytes;
    writing = store(part, from);
    // Told by whoever awaits it next.
    writing.catch(() => undefined);
  }

  async function flush(): Promise<void> {
    if (spool.bytes > 0) await cutOff();
    await writing;
  }

  return {
    durable: () => durable,
    closed: () => isKnown,
    flush,

    async write(chunk) {
      for (let done = 0; done < chunk.length; ) {
        const most = partBytes(parts.length + 1);
        const piece = chunk.subarray(done, done + most - spool.bytes);
        await spool.add(piece);
        done += piece.length;
        if (spool.bytes >= most) await cutOff();
      }
    },

    async end() {
      await flush();
      if (!isTold) await store(spool, at);
      await forget();
    },

    async [Symbol.asyncDispose]() {
      await writing.catch(() => undefined);
      await spool[Symbol.asyncDispose]();
    },
  };
}

async function readInto(target: Buffer, at: number, s3: S3, { key, bytes }: SegmentPart): Promise<void> {
  if (bytes === 0) return;
  let end = at;
  const object = await readObject(s3, key, { range: { start: 0, end: bytes - 1 } });
  for await (const chunk of object as AsyncIterable<Uint8Array>) {
    target.set(chunk, end);
    end += chunk.length;
  }
  if (end - at !== bytes) throw missing(`a part of a segment has lost bytes`);
}
