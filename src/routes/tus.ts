// tus 1.0.0 at /v1/uploads: uploads that survive broken connections, in pieces and from any process.

import type { FastifyReply, FastifyRequest } from 'fastify';
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
import { isFinal } from '../uploads/upload-record.ts';
import type { UploadRecord } from '../uploads/upload-record.ts';
import type { OpenUploads } from '../uploads/open-uploads.ts';

export interface TusOptions {
  readonly store: Pick<BlobStore, 'free'>;
  readonly receiver: Receiver;
  readonly concatenate: OpenUploads['concatenate'];
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

export function tusHandlers({ store, receiver, concatenate, settle, maxBytes }: TusOptions): Tus {
  async function createFinal(
    request: FastifyRequest,
    reply: FastifyReply,
    parts: readonly string[],
  ): Promise<FastifyReply> {
    const { headers } = request;
    if ((headers['upload-length'] ?? headers['upload-defer-length']) !== undefined)
      throw new Problem(
        'invalid_request',
        'Upload-Length: the length of a final upload is that of its parts.',
      );
    if (hasBytes(request))
      throw new Problem('upload_final', 'An upload that is made of parts takes no bytes of its own.');
    const { id, value } = await concatenate({
      ...aboutOf(request),
      parts,
      // They are written once more, though nobody sends them.
      admit: (bytes) => request.spendTenantBytes(bytes),
    });
    request.log.info({ uploadId: id, bytes: value.length }, 'an upload is made of parts');
    return describe(reply, value).code(201).header('location', uploadPath(id)).send();
  }

  return {
    async create(request, reply) {
      const { headers } = request;
      const concat = tusConcat(headers['upload-concat']) ?? null;
      if (concat !== null && concat !== 'partial') return createFinal(request, reply, concat.final);
      const length = tusLength(headers['upload-length'], headers['upload-defer-length']);
      if (length === 0)
        throw new Problem('file_missing', 'Upload-Length is 0: an empty file is no kind of media.');
      if (length !== null && length > maxBytes) {
        throw new Problem(
          'payload_too_large',
          `Upload-Length is ${length}; at most ${maxBytes} bytes are allowed.`,
        );
      }
      const checksum = tusChecksum(headers['upload-checksum']);
      const about = aboutOf(request);
      const hasBody = hasBytes(request);
      if (hasBody) assertMediaType(request);
      await assertRoom(store, Math.max(length ?? 0, contentLength(request) ?? 0));
      const { id, value } = await receiver.create({ ...about, length, concat });
      void reply.header('location', uploadPath(id));
      request.log.info({ uploadId: id, bytes: value.length }, 'an upload begins');
      const record = hasBody
        ? await receiver.receive(id, about.tenant, {
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

function describe(reply: FastifyReply, record: UploadRecord): FastifyReply {
  const { offset, completedAt, expiresAt } = record;
  if (completedAt === null) void reply.header('upload-expires', new Date(expiresAt).toUTCString());
  // Of a final the offset is not told before it is put together (tus 1.0.0, Concatenation). Clients then ask again.
  if (completedAt !== null || !isFinal(record)) void reply.header('upload-offset', offset);
  return reply.header('cache-control', 'no-store');
}

/** Whose a new upload is, and what its client says of it. */
function aboutOf({ headers, caller }: FastifyRequest): Pick<UploadRecord, 'tenant' | 'name' | 'metadata'> {
  const metadata = headers['upload-metadata'];
  const given = tusMetadata(metadata);
  const name = given.get('filename') ?? given.get('name');
  return {
    tenant: caller.tenant,
    name: name === undefined ? null : cleanFileName(name),
    metadata: typeof metadata === 'string' ? metadata : null,
  };
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
