// tus 1.0.0 at /v1/uploads: uploads that survive broken connections, in pieces and from any process.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BlobStore } from '../contracts.ts';
import { cleanFileName } from '../lib/content-disposition.ts';
import {
  TUS_ALGORITHMS,
  TUS_EXTENSIONS,
  TUS_MEDIA_TYPE,
  TUS_VERSION,
  tusChecksum,
  tusConcat,
  tusLength,
  tusMetadata,
  tusNumber,
} from '../lib/tus-headers.ts';
import { contentLength } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';
import type { Receiver } from '../uploads/receiver.ts';
import { uploadPath } from '../uploads/upload-names.ts';
import type { UploadRecord } from '../uploads/upload-record.ts';
import type { OpenUploads } from '../uploads/open-uploads.ts';

export interface TusOptions {
  readonly store: Pick<BlobStore, 'free'>;
  readonly receiver: Receiver;
  readonly settle: OpenUploads['settle'];
  readonly maxBytes: number;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

export interface Tus {
  readonly create: Handler;
  readonly head: Handler;
  readonly patch: Handler;
  readonly options: Handler;
}

/** Whether a request speaks tus. Throws `upload_version` if it speaks another one. */
export function speaksTus(request: FastifyRequest): boolean {
  const version = request.headers['tus-resumable'];
  if (version === undefined || version === TUS_VERSION) return version !== undefined;
  throw new Problem('upload_version', `This server speaks tus ${TUS_VERSION}: Tus-Resumable must say so.`, {
    headers: { 'tus-version': TUS_VERSION },
  });
}

export function tusHandlers({ store, receiver, settle, maxBytes }: TusOptions): Tus {
  return {
    async create(request, reply) {
      const { headers } = request;
      const concat = tusConcat(headers['upload-concat']) ?? null;
      const isFinal = concat !== null && concat !== 'partial';
      if (isFinal && (headers['upload-length'] ?? headers['upload-defer-length']) !== undefined)
        throw new Problem(
          'invalid_request',
          'Upload-Length: the length of a final upload is that of its parts.',
        );
      const length = isFinal ? null : tusLength(headers['upload-length'], headers['upload-defer-length']);
      if (length === 0)
        throw new Problem('file_missing', 'Upload-Length is 0: an empty file is no kind of media.');
      if (length !== null && length > maxBytes) {
        throw new Problem(
          'payload_too_large',
          `Upload-Length is ${length}; at most ${maxBytes} bytes are allowed.`,
        );
      }
      const metadata = headers['upload-metadata'];
      const checksum = tusChecksum(headers['upload-checksum']);
      const name = tusMetadata(metadata).get('filename') ?? tusMetadata(metadata).get('name');
      const hasBody = hasBytes(request);
      if (hasBody) assertMediaType(request);
      await assertRoom(store, Math.max(length ?? 0, contentLength(request) ?? 0));
      const { tenant } = request.caller;
      const { id, value } = await receiver.create({
        tenant,
        name: name === undefined ? null : cleanFileName(name),
        length,
        metadata: typeof metadata === 'string' ? metadata : null,
        concat,
      });
      void reply.header('location', uploadPath(id));
      request.log.info({ uploadId: id, bytes: value.length }, 'an upload begins');
      const record = hasBody
        ? await receiver.receive(id, tenant, {
            offset: 0,
            announced: contentLength(request),
            checksum,
            body: request.raw,
          })
        : value;
      return describe(reply, record).code(201).send();
    },

    async head(request, reply) {
      const { value } = await settle(idOf(request), request.caller.tenant);
      const { length, metadata, concat } = value;
      if (length === null) void reply.header('upload-defer-length', '1');
      else void reply.header('upload-length', length);
      if (metadata !== null) void reply.header('upload-metadata', metadata);
      if (concat !== null) {
        const text = concat === 'partial' ? concat : `final;${concat.final.map(uploadPath).join(' ')}`;
        void reply.header('upload-concat', text);
      }
      return describe(reply, value).code(200).send();
    },

    async patch(request, reply) {
      if (!speaksTus(request)) {
        throw new Problem('upload_version', `Bytes are added by tus: say Tus-Resumable: ${TUS_VERSION}.`, {
          headers: { 'tus-version': TUS_VERSION },
        });
      }
      assertMediaType(request);
      const { headers } = request;
      const offset = tusNumber('Upload-Offset', headers['upload-offset']);
      if (offset === undefined)
        throw new Problem('invalid_request', 'Upload-Offset: say behind which byte these come.');
      const checksum = tusChecksum(headers['upload-checksum']);
      const announced = contentLength(request);
      await assertRoom(store, announced ?? 0);
      const record = await receiver.receive(idOf(request), request.caller.tenant, {
        offset,
        length: tusNumber('Upload-Length', headers['upload-length']),
        announced,
        checksum,
        body: request.raw,
      });
      return describe(reply, record).code(204).send();
    },

    async options(_request, reply) {
      return reply
        .code(204)
        .header('tus-resumable', TUS_VERSION)
        .header('tus-version', TUS_VERSION)
        .header('tus-extension', TUS_EXTENSIONS)
        .header('tus-max-size', maxBytes)
        .header('tus-checksum-algorithm', TUS_ALGORITHMS.join(','))
        .send();
    },
  };
}

/** Pages of that origin may upload; which headers they may send and see. */
export function allowPages(app: FastifyInstance, origin: string | undefined): void {
  // At the end: also where auth, whose hooks come first, refused it, or a script could not even read that.
  app.addHook('onSend', async (request, reply) => {
    if (request.headers['tus-resumable'] !== undefined) void reply.header('tus-resumable', TUS_VERSION);
    if (origin === undefined) return;
    void reply.header('access-control-allow-origin', origin);
    if (request.method === 'OPTIONS') {
      void reply
        .header('access-control-allow-methods', 'GET, HEAD, POST, PATCH, DELETE')
        .header(
          'access-control-allow-headers',
          'authorization, content-type, idempotency-key, tus-resumable, upload-checksum, upload-concat, upload-defer-length, upload-length, upload-metadata, upload-offset, x-http-method-override, x-request-id, x-requested-with',
        )
        .header('access-control-max-age', 86_400);
    } else {
      void reply.header(
        'access-control-expose-headers',
        'location, retry-after, tus-checksum-algorithm, tus-extension, tus-max-size, tus-resumable, tus-version, upload-concat, upload-defer-length, upload-expires, upload-length, upload-metadata, upload-offset, x-request-id',
      );
    }
  });
}

function describe(reply: FastifyReply, { offset, completedAt, expiresAt }: UploadRecord): FastifyReply {
  if (completedAt === null) void reply.header('upload-expires', new Date(expiresAt).toUTCString());
  return reply.header('upload-offset', offset).header('cache-control', 'no-store');
}

function idOf(request: FastifyRequest): string {
  return (request.params as { readonly id: string }).id;
}

function hasBytes(request: FastifyRequest): boolean {
  return request.headers['transfer-encoding'] !== undefined || (contentLength(request) ?? 0) > 0;
}

function assertMediaType(request: FastifyRequest): void {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === TUS_MEDIA_TYPE) return;
  throw new Problem(
    'media_type_unsupported',
    `The Content-Type of tus is ${TUS_MEDIA_TYPE}, whatever the file is.`,
  );
}

async function assertRoom(store: Pick<BlobStore, 'free'>, bytes: number): Promise<void> {
  const free = await store.free();
  if (free !== undefined && free <= bytes)
    throw new Problem('storage_full', 'The server has no room for this upload. What it has already is kept.');
}
