// Makes renditions for the cache: of what source, of what version, and which failures are remembered for a moment.

import { hash } from 'node:crypto';
import type { ImageEngine, SourceReader } from '../engine-contracts.ts';
import type { CacheEntry, CacheFacts, CacheKey } from '../jobs/image-cache.ts';
import { renditionTag } from '../lib/cache-key.ts';
import { UPLOAD_PREFIX } from '../uploads/uploads.ts';
import { assetsOf } from '../operations/assets.ts';
import type { AcceptedFormats } from '../operations/negotiation.ts';
import { Problem } from '../problems.ts';
import type { ImageWish } from './image-wish.ts';

export interface RenditionWorkOptions {
  readonly images: ImageEngine;
  readonly sources: SourceReader;
  readonly maxBytes: number;
  /** Sources that may be in memory at once. */
  readonly maxWaiting: number;
  /** How long a rendition of a remote source is fresh. */
  readonly maxAgeSeconds: number;
}

export type RenditionWork = (
  key: CacheKey,
  wish: ImageWish,
  accepted: AcceptedFormats | undefined,
) => (stale: CacheEntry | undefined) => Promise<{ facts: CacheFacts; data: Uint8Array } | 'unchanged'>;

/** A failure is answered again for so long, in milliseconds, instead of being repeated. */
const REMEMBER_MS = 10_000;
/** Of the source or of what is asked of it: the same call would fail again. Not those of a moment, such as `overloaded`. */
const REMEMBERED: ReadonlySet<number> = new Set([403, 404, 406, 413, 415, 422, 502]);

export function renditionWork(options: RenditionWorkOptions): RenditionWork {
  const { images, sources, maxBytes, maxWaiting, maxAgeSeconds } = options;
  let working = 0;

  async function render(
    key: CacheKey,
    { reference, tenant, output }: ImageWish,
    accepted: AcceptedFormats | undefined,
    stale: CacheEntry | undefined,
  ): Promise<{ facts: CacheFacts; data: Uint8Array } | 'unchanged'> {
    images.admit();
    const { bytes, version } = await sources.read(reference, { tenant, maxBytes });
    // Watermarks and masks of elsewhere may have changed, though the source has not.
    const remoteAssets = assetsOf([output]).some(isRemote);
    if (!remoteAssets && isGood(stale) && stale.facts.version === version) return 'unchanged';
    const rendering = await images.render(bytes, [output], { tenant, ...(accepted && { accepted }) });
    const [image] = rendering.images;
    if (image === undefined) throw new Error('the image engine answered without an image');
    const { data, mediaType, width, height, decisions, fits } = image;
    const freshMs = remoteAssets || isRemote(reference) ? maxAgeSeconds * 1000 : null;
    const etag = renditionTag(key, remoteAssets ? hash('sha256', data) : version);
    const about = { mediaType, width, height, decisions, ...(fits !== undefined && { fits }) };
    return { facts: { etag, version, freshMs, ...about }, data };
  }

  return (key, wish, accepted) => async (stale) => {
    if (working >= maxWaiting) {
      throw new Problem('overloaded', 'As many images as may be in work are in work. Try again soon.');
    }
    working++;
    try {
      return await render(key, wish, accepted, stale);
    } catch (error) {
      if (!(error instanceof Problem) || !REMEMBERED.has(error.status)) throw error;
      // What is stored is better than nothing while its source cannot be reached.
      if (error.code === 'source_unavailable' && isGood(stale)) throw error;
      return { facts: failure(error), data: new Uint8Array(0) };
    } finally {
      working--;
    }
  };
}

function isRemote(reference: string): boolean {
  return !reference.startsWith(UPLOAD_PREFIX);
}

function isGood(stale: CacheEntry | undefined): stale is CacheEntry {
  return stale !== undefined && stale.facts.problem === undefined;
}

function failure(problem: Problem): CacheFacts {
  return {
    etag: '',
    version: '',
    freshMs: REMEMBER_MS,
    mediaType: '',
    width: 0,
    height: 0,
    decisions: [],
    problem: problem.toDocument(),
  };
}
