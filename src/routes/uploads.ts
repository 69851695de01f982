// /v1/uploads: sources that are stored once and used by name, as `upload:{id}`.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { BlobStore } from '../contracts.ts';
import { UPLOAD_PREFIX, uploadKey } from '../jobs/uploads.ts';
import type { Upload, Uploads } from '../jobs/uploads.ts';
import { newId } from '../lib/id.ts';
import { contentLength, mediaBody, receiveFile, tooLarge } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';
import { sniffing, storable } from './accept-job.ts';

export interface UploadRoutesOptions {
  readonly store: BlobStore;
  readonly uploads: Uploads;
  readonly body: MediaBodyOptions;
  readonly limits: { readonly imageMaxBytes: number; readonly videoMaxBytes: number };
}

const uploadSchema = z
  .object({
    id: z.string(),
    source: z.string().describe('How it is named as a source: `upload:{id}`'),
    mediaType: z.string().describe('By its bytes'),
    bytes: z.number(),
    expiresAt: z.iso.datetime(),
    links: z.object({ self: z.string() }),
  })
  .meta({ id: 'Upload' });
const idParams = z.object({ id: z.string().describe('The id of an upload') });

export const uploadRoutes: FastifyPluginAsyncZod<UploadRoutesOptions> = async (app, options) => {
  const { store, uploads, limits } = options;
  const most = Math.max(limits.imageMaxBytes, limits.videoMaxBytes);

  await app.register(async (scope) => {
    await scope.register(mediaBody, options.body);
    scope.withTypeProvider<never>().post(
      '/v1/uploads',
      {
        config: { scope: 'uploads' },
        schema: {
          summary: 'Store a source',
          description:
            'Send the file as the raw body, or as the part `file` of multipart/form-data. It can then be used as `upload:{id}` until it expires.',
          tags: ['uploads'],
          querystring: z.strictObject({}),
          consumes: ['multipart/form-data', 'application/octet-stream'],
          response: { 201: uploadSchema },
        },
        onRequest: async (request) => {
          const free = await store.free();
          if (free !== undefined && free <= (contentLength(request) ?? 0)) {
            throw new Problem('storage_full', 'The server has no room for this upload. Nothing was kept.');
          }
        },
      },
      async (request, reply) => {
        const id = newId();
        const key = uploadKey(id);
        const { result } = await receiveFile(request, {
          maxBytes: most,
          fieldNames: [],
          async take(file) {
            const sniffer = sniffing(() => undefined);
            const { bytes } = await store.put(key, storable(file, sniffer), { maxBytes: most });
            return { bytes, mediaType: sniffer.mediaType() };
          },
          undo: () => store.delete(key),
        });
        const allowed = result.mediaType.startsWith('image/') ? limits.imageMaxBytes : limits.videoMaxBytes;
        const upload = result.bytes > allowed ? undefined : await uploads.find(id);
        if (upload === undefined) {
          await store.delete(key);
          throw tooLarge(allowed);
        }
        request.log.info({ uploadId: id, ...result }, 'stored');
        return reply
          .code(201)
          .header('location', pathOf(id))
          .header('cache-control', 'no-store')
          .send(view(upload));
      },
    );
  });

  app.route({
    method: ['GET', 'HEAD'],
    url: '/v1/uploads/:id',
    config: { scope: 'uploads' },
    schema: {
      summary: 'Look at a stored source',
      tags: ['uploads'],
      params: idParams,
      response: { 200: uploadSchema },
    },
    handler: async (request, reply) => {
      const upload = await uploads.find(request.params.id);
      if (upload === undefined) throw unknown();
      return reply.header('cache-control', 'no-store').send(view(upload));
    },
  });

  app.delete(
    '/v1/uploads/:id',
    {
      config: { scope: 'uploads' },
      schema: {
        summary: 'Remove a stored source, and every rendition of it',
        tags: ['uploads'],
        params: idParams,
        response: { 204: z.void() },
      },
    },
    async (request, reply) => {
      if (!(await uploads.remove(request.params.id))) throw unknown();
      return reply.code(204).send();
    },
  );
};

const pathOf = (id: string): string => `/v1/uploads/${id}`;

function view({ id, mediaType, bytes, expiresAt }: Upload): z.input<typeof uploadSchema> {
  return {
    id,
    source: `${UPLOAD_PREFIX}${id}`,
    mediaType,
    bytes,
    expiresAt: new Date(expiresAt).toISOString(),
    links: { self: pathOf(id) },
  };
}

function unknown(): Problem {
  return new Problem(
    'source_not_found',
    'There is no such upload: it was removed, has expired, or never was.',
  );
}
