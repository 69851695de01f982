// GET /v1/images/{signature}/{options}/{source}: renditions by URL, signed and cached.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ImageEngine, SourceReader } from '../engine-contracts.ts';
import type { CacheEntry, CacheFacts, CacheKey, ImageCache } from '../jobs/image-cache.ts';
import type { FallbackImage } from '../jobs/fallback-image.ts';
import { DEFAULT_TENANT } from '../jobs/job.ts';
import type { Presets } from '../jobs/presets.ts';
import { UPLOAD_VERSION, uploadId } from '../uploads/uploads.ts';
import type { Uploads } from '../uploads/uploads.ts';
import { matchesETag } from '../lib/byte-range.ts';
import { isFresh, renditionTag, variantMark } from '../lib/cache-key.ts';
import { RecentMap } from '../lib/recent-map.ts';
import { parseSignedPath, signerOf, UNSIGNED } from '../lib/signed-url.ts';
import type { UrlKey } from '../lib/signed-url.ts';
import { acceptedFormats } from '../operations/negotiation.ts';
import type { AcceptedFormats } from '../operations/negotiation.ts';
import { Problem } from '../problems.ts';
import { readWish } from './image-wish.ts';
import type { ImageWish } from './image-wish.ts';
import { describeRendition } from './rendition-headers.ts';
import { renditionWork } from './rendition-work.ts';

export interface SignedImageOptions {
  readonly images: ImageEngine;
  readonly sources: SourceReader;
  readonly cache: ImageCache;
  readonly uploads: Pick<Uploads, 'find'>;
  readonly presets: Presets;
  readonly fallback: FallbackImage | undefined;
  /** Another version of the server may make another picture of the same options. */
  readonly version: string;
  readonly keys: readonly UrlKey[];
  readonly allowUnsigned: boolean;
  readonly presetsOnly: boolean;
  readonly maxBytes: number;
  readonly maxWaiting: number;
  readonly maxAgeSeconds: number;
  /** How long a stale rendition is answered while a fresh one is made. */
  readonly staleSeconds: number;
}

/** Addresses whose signature was found right, and how long one may be to be remembered. */
const MOST_WISHES = 4096;
const LONGEST_WISH = 1024;
/** The same for the Accept headers of each. */
const MOST_HEADERS = 20;
const LONGEST_HEADER = 200;
/** After a refresh that failed the next is tried so much later, in milliseconds. */
const RETRY_MS = 10_000;
/** Browsers and proxies keep the fallback image so long. */
const FALLBACK_SECONDS = 10;
const FALLBACK_FOR: ReadonlySet<number> = new Set([404, 413, 415, 422, 502]);

export const signedImageRoutes: FastifyPluginAsyncZod<SignedImageOptions> = async (app, options) => {
  const { cache, uploads, fallback, version, keys, maxAgeSeconds, staleSeconds } = options;
  const wishes = new RecentMap<string, ImageWish>(MOST_WISHES);
  const variants = new WeakMap<ImageWish, RecentMap<string, Variant>>();
  const failed = new RecentMap<string, number>(MOST_WISHES);
  const work = renditionWork(options);

  /** Checks the signature; once for an address that is asked for again and again. */
  function wishOf(url: string): ImageWish {
    const known = wishes.get(url);
    if (known !== undefined) return known;
    const address = parseSignedPath(url);
    const unsigned = address.signature === UNSIGNED;
    const signer = unsigned ? undefined : signerOf(keys, address);
    if (unsigned ? !options.allowUnsigned : signer === undefined) throw notSigned(keys.length > 0);
    const wish = readWish(address, signer?.tenant ?? DEFAULT_TENANT, options);
    if (url.length <= LONGEST_WISH) wishes.set(url, wish);
    return wish;
  }

  /** Which rendition it is; worked out once for each `Accept` header that a wish depends on. */
  function variantOf(wish: ImageWish, header: string | undefined): Variant {
    const accept = wish.negotiated ? header : undefined;
    const known = variants.get(wish)?.get(accept ?? '');
    if (known !== undefined) return known;
    const accepted = wish.negotiated ? ranked(acceptedFormats(accept, wish.output)) : undefined;
    const mark = variantMark([version, wish.output, accepted]);
    const variant = { accepted, key: { source: wish.source, variant: mark } };
    if ((accept ?? '').length <= LONGEST_HEADER) {
      const headers = variants.get(wish) ?? new RecentMap<string, Variant>(MOST_HEADERS);
      headers.set(accept ?? '', variant);
      variants.set(wish, headers);
    }
    return variant;
  }

  /** Stale renditions are made anew while they are answered. */
  function refresh(
    request: FastifyRequest,
    key: CacheKey,
    wish: ImageWish,
    accepted: AcceptedFormats | undefined,
  ): void {
    const now = performance.now();
    const until = failed.get(key.variant + key.source);
    if (until !== undefined && now < until) return;
    // Set before it is known, so that one refresh is under way and not one for each request.
    failed.set(key.variant + key.source, now + RETRY_MS);
    cache.make(key, work(key, wish, accepted)).then(
      ({ body }) => {
        if (!Buffer.isBuffer(body)) body.destroy();
        failed.delete(key.variant + key.source);
      },
      (error: unknown) => request.log.info({ err: error }, 'a stale image could not be made anew'),
    );
  }

  function describe(reply: FastifyReply, wish: ImageWish, entry: Dated, now: number): FastifyReply {
    if (wish.negotiated) void reply.header('vary', 'accept');
    return reply
      .header('etag', entry.facts.etag)
      .header('cache-control', cacheControl(wish, entry, now, { maxAgeSeconds, staleSeconds }));
  }

  function sendHead(reply: FastifyReply, { facts, bytes }: CacheEntry, status: string): FastifyReply {
    return describeRendition(reply, facts)
      .header('content-length', bytes)
      .header('content-security-policy', "default-src 'none'; sandbox")
      .header('cross-origin-resource-policy', 'cross-origin')
      .header('cache-status', `mediamill; ${status}`);
  }

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    wish: ImageWish,
  ): Promise<FastifyReply> {
    const { key, accepted } = variantOf(wish, request.headers.accept);
    const tags = request.headers['if-none-match'];
    const now = Date.now();
    const looked = cache.find(key);
    const found = looked instanceof Promise ? await looked : looked;
    if (found !== undefined) {
      const fresh = isFresh(found, now);
      if (fresh && found.facts.problem !== undefined) throw Problem.fromDocument(found.facts.problem);
      if (fresh || isUsable(found, now, staleSeconds)) {
        if (!fresh) refresh(request, key, wish, accepted);
        describe(reply, wish, found, now);
        if (matchesETag(tags, found.facts.etag)) return reply.code(304).send();
        const status = fresh ? 'hit' : 'hit; detail=stale';
        if (request.method === 'HEAD') return sendHead(reply, found, status).send();
        const content = await cache.read(key);
        if (content !== undefined)
          return sendHead(describe(reply, wish, content.entry, now), content.entry, status).send(
            content.body,
          );
      }
    } else if (tags !== undefined && (await isStillThere(wish, key, tags))) {
      const etag = renditionTag(key, UPLOAD_VERSION);
      return describe(reply, wish, { facts: { etag, freshMs: null }, storedAt: now }, now)
        .code(304)
        .send();
    }
    let worked = false;
    const { entry, body } = await cache.make(key, (stale) => {
      worked = true;
      return work(key, wish, accepted)(stale);
    });
    if (entry.facts.problem !== undefined) throw Problem.fromDocument(entry.facts.problem);
    sendHead(
      describe(reply, wish, entry, Date.now()),
      entry,
      worked ? 'fwd=miss; stored' : 'fwd=miss; collapsed',
    );
    if (request.method !== 'HEAD') return reply.send(body);
    if (!Buffer.isBuffer(body)) body.destroy();
    return reply.send();
  }

  /** An upload never changes: what a client has of it is right, though we have forgotten it. */
  async function isStillThere(
    { reference, tenant }: ImageWish,
    key: CacheKey,
    tags: string,
  ): Promise<boolean> {
    const id = uploadId(reference);
    if (id === undefined || !matchesETag(tags, renditionTag(key, UPLOAD_VERSION))) return false;
    return (await uploads.find(id, tenant)) !== undefined;
  }

  app.route({
    method: ['GET', 'HEAD'],
    // The rest is taken apart by us: signed is what came, and the router has decoded it.
    url: '/v1/images/:signature/*',
    // Nothing here is left to check, and a 304 costs so little that it would show.
    validatorCompiler: () => (value) => ({ value }),
    config: { scope: 'signed' },
    schema: {
      summary: 'Fetch a rendition by a signed address',
      description:
        '`/v1/images/{signature}/{options}/{source}`. Options are those of `POST /v1/images`, joined by `&`, or `-` for none; also `preset` and `output`, and `expires` in seconds since 1970. The source is `upload:{id}` or an https URL, percent-encoded, or either as base64url after `base64:`. Takes `If-None-Match`.',
      tags: ['images'],
      params: z.object({
        signature: z.string().describe('HMAC-SHA256 of `/{options}/{source}`, base64url'),
        '*': z.string().describe('`{options}/{source}`'),
      }),
      response: { 200: z.any().describe('The rendition'), 304: z.any() },
    },
    handler: async (request, reply) => {
      const wish = wishOf(request.url);
      if (wish.expires !== undefined && wish.expires * 1000 <= Date.now()) {
        throw new Problem(
          'signature_expired',
          `The address was good until ${new Date(wish.expires * 1000).toISOString()}. Ask for a new one where it came from.`,
        );
      }
      try {
        return await answer(request, reply, wish);
      } catch (error) {
        void reply.removeHeader('etag');
        if (wish.negotiated) void reply.header('vary', 'accept');
        if (fallback === undefined || !(error instanceof Problem) || !FALLBACK_FOR.has(error.status))
          throw error;
        request.log.info({ code: error.code, detail: error.message }, 'answered with the fallback image');
        return sendFallback(reply, error, fallback);
      }
    },
  });
};

/** Browsers show the picture of a failed answer too, and everyone else sees that it failed. */
function sendFallback(
  reply: FastifyReply,
  { status }: Problem,
  { bytes, mediaType }: FallbackImage,
): FastifyReply {
  return reply
    .code(status)
    .header('cache-control', `public, max-age=${FALLBACK_SECONDS}`)
    .header('content-type', mediaType)
    .send(bytes);
}

interface Variant {
  readonly accepted: AcceptedFormats | undefined;
  readonly key: CacheKey;
}

/** What the headers of an answer need of an entry. */
interface Dated {
  readonly facts: Pick<CacheFacts, 'etag' | 'freshMs'>;
  readonly storedAt: number;
}

function notSigned(hasKeys: boolean): Problem {
  return new Problem(
    'signature_invalid',
    hasKeys
      ? 'No key of this server has signed this address, or it was changed since. Sign it anew.'
      : 'This server has no keys to check addresses with. Its operator sets URL_KEYS, or URL_UNSIGNED=true.',
  );
}

function isUsable({ facts, storedAt }: CacheEntry, now: number, staleSeconds: number): boolean {
  return facts.problem === undefined && now < storedAt + (facts.freshMs ?? 0) + staleSeconds * 1000;
}

/** What expires here must not live on in a cache elsewhere. */
function cacheControl(
  { expires }: ImageWish,
  { facts, storedAt }: Dated,
  now: number,
  { maxAgeSeconds, staleSeconds }: Pick<SignedImageOptions, 'maxAgeSeconds' | 'staleSeconds'>,
): string {
  const left = (until: number): number => Math.max(0, (until - now) / 1000);
  const fresh =
    facts.freshMs === null
      ? maxAgeSeconds
      : Math.min(maxAgeSeconds, Math.ceil(left(storedAt + facts.freshMs)));
  const end = expires === undefined ? Number.POSITIVE_INFINITY : Math.floor(left(expires * 1000));
  const maxAge = Math.min(fresh, end);
  const stale = Math.min(staleSeconds, end - maxAge);
  return stale > 0
    ? `public, max-age=${maxAge}, stale-while-revalidate=${stale}`
    : `public, max-age=${maxAge}, must-revalidate`;
}

/** Only the order counts: `q=0.8` and `q=0.7` behind 1 are the same wish, and share a rendition. */
function ranked(accepted: AcceptedFormats | undefined): AcceptedFormats | undefined {
  if (accepted === undefined) return undefined;
  const weights = [...new Set(Object.values(accepted))].toSorted((a, b) => a - b);
  const entries = Object.entries(accepted).map(([format, weight]): [string, number] => [
    format,
    (weights.indexOf(weight) + 1) / weights.length,
  ]);
  return Object.fromEntries(entries);
}
