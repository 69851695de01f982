// /v1/uploads: sources that are stored once and used by name, as `upload:{id}`. Sent at once, or by tus.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { BlobStore } from '../contracts.ts';
import { newId } from '../lib/id.ts';
import { sniffing, storable } from '../lib/sniffing.ts';
import { TUS_VERSION } from '../lib/tus-headers.ts';
import { idFor } from '../plugins/idempotency.ts';
import { contentLength, mediaBody, receiveFile, tooLarge } from '../plugins/media-body.ts';
import type { MediaBodyOptions } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';
import type { OpenUploads } from '../uploads/open-uploads.ts';
import { uploadPath } from '../uploads/upload-names.ts';
import { unknownUpload, UPLOAD_STATUSES } from '../uploads/upload-record.ts';
import { uploadKey } from '../uploads/uploads.ts';
import { speaksTus, tusHandlers } from './tus.ts';
import { uploadSchema, viewUpload } from './upload-view.ts';

export interface UploadRoutesOptions
  extends Pick<OpenUploads, 'uploads' | 'receiver' | 'concatenate' | 'settle'> {
  readonly store: BlobStore;
  readonly body: MediaBodyOptions;
  readonly limits: { readonly imageMaxBytes: number; readonly videoMaxBytes: number };
}

const idParams = z.object({ id: z.string().describe('The id of an upload') });
const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('Most of a page'),
  after: z.string().max(100).optional().describe('The `next` of the page before'),
  status: z
    .enum(UPLOAD_STATUSES)
    .optional()
    .describe('Only those; parts of others are told only where they are asked for'),
});

export const uploadRoutes: FastifyPluginAsyncZod<UploadRoutesOptions> = async (app, options) => {
  const { store, uploads, receiver, concatenate, settle, limits } = options;
  const most = Math.max(limits.imageMaxBytes, limits.videoMaxBytes);
  const tus = tusHandlers({ store, receiver, concatenate, settle, maxBytes: most });
  app.addHook('onSend', async (request, reply) => {
    if (request.headers['tus-resumable'] !== undefined) void reply.header('tus-resumable', TUS_VERSION);
  });

  async function storeWhole(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const free = await store.free();
    if (free !== undefined && free <= (contentLength(request) ?? 0))
      throw new Problem('storage_full', 'The server has no room for this upload. Nothing was kept.');
    const id = idFor(request);
    // A process that was thought dead may have the same id in hand, and another body: what is stored under it is whole, and
    // is what its call was sealed with.
    const isOnlyOurs = request.idempotency === undefined;
    const key = uploadKey(isOnlyOurs ? id : newId());
    const { result } = await receiveFile(request, {
      maxBytes: most,
      fieldNames: [],
      async take(file, name) {
        const sniffer = sniffing(() => undefined);
        const { bytes } = await store.put(key, storable(file, sniffer), { maxBytes: most });
        return { name, bytes, mediaType: sniffer.mediaType() };
      },
      undo: () => store.delete(key),
    });
    try {
      const allowed = result.mediaType.startsWith('image/') ? limits.imageMaxBytes : limits.videoMaxBytes;
      if (result.bytes > allowed) throw tooLarge(allowed);
      if (!isOnlyOurs) await store.copy(key, uploadKey(id));
      await uploads.add(id, { tenant: request.caller.tenant, ...result });
    } catch (error) {
      await store.delete(key);
      throw error;
    }
    if (!isOnlyOurs) await store.delete(key);
    const { bytes, mediaType } = result;
    request.log.info({ uploadId: id, bytes, mediaType }, 'stored');
    const stored = await uploads.look(id, request.caller.tenant);
    if (stored === undefined) throw unknownUpload();
    return reply
      .code(201)
      .header('location', uploadPath(id))
      .header('cache-control', 'no-store')
      .send(viewUpload(stored));
  }

  async function removeOne(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    speaksTus(request);
    const { id } = request.params as { readonly id: string };
    if (!(await uploads.remove(id, request.caller.tenant))) throw unknownUpload();
    return reply.code(204).send();
  }

  await app.register(async (scope) => {
    await scope.register(mediaBody, options.body);
    const plain = scope.withTypeProvider<never>();
    plain.post(
      '/v1/uploads',
      {
        // The creation of tus needs no key: its client has the address, or begins anew.
        config: { scope: 'uploads', idempotent: { when: (request) => !speaksTus(request) } },
        schema: {
          summary: 'Store a source',
          description:
            'Send the file as the raw body, or as the part `file` of multipart/form-data. It can then be used as `upload:{id}` until it expires. With `Tus-Resumable: 1.0.0` it is the creation of tus: the file is sent by `PATCH`, and goes on after breaks.',
          tags: ['uploads'],
          querystring: z.strictObject({}),
          consumes: ['multipart/form-data', 'application/octet-stream'],
          response: { 201: uploadSchema },
        },
      },
      async (request, reply) =>
        speaksTus(request) ? tus.create(request, reply) : storeWhole(request, reply),
    );
    plain.patch(
      '/v1/uploads/:id',
      {
        config: { scope: 'uploads' },
        schema: {
          summary: 'Send bytes of an upload',
          description:
            'tus 1.0.0: the bytes behind `Upload-Offset`, as `application/offset+octet-stream`, with `Upload-Checksum` if all or none of them shall count. The answer says how far the upload is.',
          tags: ['uploads'],
          params: idParams,
          response: { 204: z.void() },
        },
      },
      tus.patch,
    );
    // For clients whose proxies let nothing but GET and POST pass.
    plain.post(
      '/v1/uploads/:id',
      { config: { scope: 'uploads' }, schema: { hide: true, params: idParams } },
      async (request, reply) => {
        const method = request.headers['x-http-method-override'];
        if (method === 'PATCH') return tus.patch(request, reply);
        if (method === 'DELETE') return removeOne(request, reply);
        throw new Problem(
          'method_not_allowed',
          'POST is possible here with X-HTTP-Method-Override: PATCH or DELETE.',
          { headers: { allow: 'DELETE, GET, HEAD, PATCH' } },
        );
      },
    );
  });

  for (const url of ['/v1/uploads', '/v1/uploads/:id'])
    app.options(url, { config: { scope: 'public' }, schema: { hide: true } }, tus.options);

  app.get(
    '/v1/uploads',
    {
      config: { scope: 'uploads' },
      schema: {
        summary: 'List stored sources',
        description:
          'The newest first, also those that are still being received. A page may be short, and still have a `next`.',
        tags: ['uploads'],
        querystring: listQuery,
        response: {
          200: z.object({ uploads: z.array(uploadSchema), next: z.string().nullable() }),
        },
      },
    },
    async (request, reply) => {
      const { items, next } = await uploads.list(request.caller.tenant, request.query);
      return reply.header('cache-control', 'no-store').send({ uploads: items.map(viewUpload), next });
    },
  );

  app.get(
    '/v1/uploads/:id',
    {
      exposeHeadRoute: false,
      config: { scope: 'uploads' },
      schema: {
        summary: 'Look at a stored source',
        tags: ['uploads'],
        params: idParams,
        response: { 200: uploadSchema },
      },
    },
    async (request, reply) => {
      const stored = await uploads.look(request.params.id, request.caller.tenant);
      if (stored === undefined) throw unknownUpload();
      return reply.header('cache-control', 'no-store').send(viewUpload(stored));
    },
  );

  app.head(
    '/v1/uploads/:id',
    {
      config: { scope: 'uploads' },
      schema: {
        summary: 'Ask how far an upload is',
        description:
          'tus 1.0.0: `Upload-Offset` says behind which byte to go on. Whoever is still sending is asked to end.',
        tags: ['uploads'],
        params: idParams,
        response: { 200: z.void() },
      },
    },
    async (request, reply) => {
      if (speaksTus(request)) return tus.head(request, reply);
      const stored = await uploads.look(request.params.id, request.caller.tenant);
      if (stored === undefined) throw unknownUpload();
      return reply.header('cache-control', 'no-store').send();
    },
  );

  app.delete(
    '/v1/uploads/:id',
    {
      config: { scope: 'uploads' },
      schema: {
        summary: 'Remove a stored source, and every rendition of it',
        tags: ['uploads'],
        params: idParams,
        response: { 204: z.any() },
      },
    },
    (request, reply) => removeOne(request, reply),
  );
};
