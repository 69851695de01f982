// GET and HEAD of a job's outputs: immutable bytes, with ranges and conditions (RFC 9110).

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { BlobStore, ByteRange, JobQueue } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { ifRangeHolds, matchesETag, parseRange } from '../lib/byte-range.ts';
import { contentDisposition } from '../lib/content-disposition.ts';
import { Problem } from '../problems.ts';
import { find } from './jobs.ts';
import { locate } from './locate-output.ts';

export interface ResultRoutesOptions {
  readonly queue: JobQueue;
  readonly store: BlobStore;
  /** Origin whose pages may fetch results, or `*`. */
  readonly allowOrigin?: string | undefined;
}

const OUTPUT = '/v1/jobs/:id/outputs/:name';
const FILE = `${OUTPUT}/:file`;

/** How long an address holds under which the store itself gives a result. */
const LINK_SECONDS = 300;

const outputParams = z.object({ id: z.string(), name: z.string() });
const fileParams = outputParams.extend({ file: z.string().describe('One of `files` of the output') });

export const resultRoutes: FastifyPluginAsyncZod<ResultRoutesOptions> = async (app, options) => {
  const { queue, store, allowOrigin } = options;
  if (allowOrigin !== undefined) {
    // The headers are those of plugins/cors.ts. Answered whatever the job is: it is asked before each address that is new, and says nothing of it.
    for (const url of [OUTPUT, FILE]) {
      app.options(url, { config: { scope: 'public' }, schema: { hide: true } }, async (_, reply) =>
        reply.code(204).send(),
      );
    }
  }
  const outputRoute = (
    url: string,
    params: typeof outputParams | typeof fileParams,
    about: { readonly summary: string; readonly description: string },
  ) =>
    app.route({
      method: ['GET', 'HEAD'],
      url,
      config: { scope: 'jobs:read' },
      schema: {
        ...about,
        tags: ['results'],
        params,
        querystring: z.strictObject({
          download: z.stringbool().optional().describe('Ask browsers to save it instead of showing it'),
        }),
        response: {
          200: z.any().describe('The whole file'),
          206: z.any().describe('The range asked for'),
          304: z.any(),
        },
      },
      handler: async (request, reply) => {
        const { id, name, file } = request.params as z.output<typeof outputParams> & { file?: string };
        const job = await find(queue, id, request.caller);
        const found = await locate(store, job, name, file);
        if ('redirect' in found) {
          // Relative names in a playlist are taken from where it lies.
          return reply.header('cache-control', 'no-cache').redirect(found.redirect, 302);
        }
        // What is replaced meanwhile must not give the new one's bytes under the old one's length.
        const held = found.grows ? await buffer(await openBlob(store, found.key)) : undefined;
        const bytes = held?.length ?? found.bytes;
        // A run's folder has a random name, and one of a second try in it another one: the key says which bytes these are.
        const etag = found.grows ? undefined : `"${found.key.split('/').slice(2, -1).join('/')}-${bytes}"`;
        const isKnown = etag !== undefined && matchesETag(request.headers['if-none-match'], etag);
        const disposition = contentDisposition(
          fileName(job, name, found.key),
          request.query.download === true ? 'attachment' : 'inline',
        );
        // Only of a single file: relative names, as playlists have them, lead nowhere from there.
        if (request.method === 'GET' && file === undefined && found.isFinal && !isKnown) {
          const { mediaType } = found;
          const elsewhere = await store.link?.(found.key, { seconds: LINK_SECONDS, mediaType, disposition });
          // The address is as good as a key.
          if (elsewhere !== undefined)
            return reply.header('cache-control', 'private, no-store').redirect(elsewhere, 307);
        }
        void reply
          .header('accept-ranges', 'bytes')
          .header('content-security-policy', "default-src 'none'; sandbox")
          .header('cross-origin-resource-policy', 'cross-origin')
          .header('cache-control', found.isFinal ? 'private, max-age=3600, immutable' : 'no-cache')
          .header('content-disposition', disposition);
        if (etag !== undefined) void reply.header('etag', etag);
        if (isKnown) return reply.code(304).send();

        // Ranges are defined for GET alone (RFC 9110 §14.2).
        const wanted =
          request.method === 'GET' && ifRangeHolds(request.headers['if-range']?.toString(), etag)
            ? parseRange(request.headers.range, bytes)
            : undefined;
        if (wanted === 'unsatisfiable') {
          throw new Problem(
            'range_not_satisfiable',
            `The output has ${bytes} bytes; the range ${JSON.stringify(request.headers.range)} lies outside.`,
            {
              headers: { 'content-range': `bytes */${bytes}` },
            },
          );
        }
        const length = wanted === undefined ? bytes : wanted.end - wanted.start + 1;
        void reply
          .code(wanted === undefined ? 200 : 206)
          .header('content-type', found.mediaType)
          .header('content-length', length);
        if (wanted !== undefined)
          void reply.header('content-range', `bytes ${wanted.start}-${wanted.end}/${bytes}`);
        if (request.method === 'HEAD') return reply.send();
        if (held !== undefined)
          return reply.send(wanted === undefined ? held : held.subarray(wanted.start, wanted.end + 1));
        return reply.send(await openBlob(store, found.key, wanted));
      },
    });

  outputRoute(OUTPUT, outputParams, {
    summary: 'Fetch an output',
    description:
      'The bytes; of an output that is several files, a list of them. Takes `Range`, `If-Range` and `If-None-Match`.',
  });
  outputRoute(FILE, fileParams, {
    summary: 'Fetch one file of an output',
    description: 'The bytes. Takes `Range`, `If-Range` and `If-None-Match`.',
  });
};

async function openBlob(store: BlobStore, key: string, range?: ByteRange): Promise<Readable> {
  try {
    return await store.read(key, range);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Problem('output_not_found', 'The output has just been removed.', { cause: error });
  }
}

/** The source's name with the output's own and its extension: what a browser saves it as. */
function fileName(job: Job, name: string, key: string): string {
  const stem = job.source.name?.replace(/\.[^.]*$/, '');
  // `results/{job}/{run}/{name}.webp`, or of several files `…/{name}.320.webp` or `…/{name}/720.m3u8`.
  const file = key.split('/').slice(3).join('.');
  const end = file.startsWith(`${name}.`) ? file.slice(name.length) : extname(key);
  return `${stem === undefined || stem === '' ? job.id : stem}-${name}${end.replace(/^\.(?=.*\.)/, '-')}`;
}
