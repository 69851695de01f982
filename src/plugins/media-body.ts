// Bodies that are media: one file, as the raw body or as the part `file` of a multipart form, streamed.

import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Readable } from 'node:stream';
import { bodyDigest } from '../lib/body-digest.ts';
import { cleanFileName } from '../lib/content-disposition.ts';
import { incomplete } from '../lib/detach.ts';
import { Problem } from '../problems.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Told what a body was, when all of it is here and nothing is made of it yet: a hash of file and fields, and the
     * bytes of the file. What it rejects with ends the request.
     */
    witness?: (body: { readonly digest: string; readonly bytes: number }) => Promise<void>;
  }
}

/** Room for the boundaries, part headers and fields around a file when Content-Length is held against a limit. */
const MULTIPART_OVERHEAD = 512 * 1024;
/** After an answer that came before the end of the body: how long the rest is read and dropped, so that the client sees the answer and no reset. */
const LINGER_MS = 3000;

export interface MediaBodyOptions {
  /** Least bytes per second, judged over `windowSeconds`. */
  readonly minBytesPerSecond: number;
  readonly windowSeconds: number;
}

export interface ReceivedFile<T> {
  readonly result: T;
  /** The form's text fields. Empty for a raw body. */
  readonly fields: ReadonlyMap<string, string>;
}

export interface FileIntake<T> {
  readonly maxBytes: number;
  /** Names of the text fields that the form may have. */
  readonly fieldNames: readonly string[] | 'any';
  /** Consumes the file. `fields` holds what came before it. Must not destroy the stream: see lib/detach.ts. */
  take(file: Readable, name: string | null, fields: ReadonlyMap<string, string>): Promise<T>;
  /** Called if something after the file was wrong: leave nothing behind. */
  undo(result: T): Promise<void>;
}

/** Registers the parsers for a scope whose routes take media, and guards it against bodies that hang. */
export const mediaBody = fp(
  async (app: FastifyInstance, options: MediaBodyOptions) => {
    await app.register(multipart, {
      throwFileSizeLimit: false,
      limits: {
        files: 1,
        fields: 20,
        parts: 25,
        fieldNameSize: 100,
        fieldSize: 256 * 1024,
        headerPairs: 100,
        fileSize: Number.POSITIVE_INFINITY,
      },
    });
    // The stream itself is the body, whatever it says to be: the type is what its bytes say.
    app.removeContentTypeParser(['application/json', 'text/plain']);
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

    app.addHook('onRequest', async (request, reply) => {
      const encoding = request.headers['content-encoding'];
      if (encoding !== undefined && encoding !== 'identity') {
        throw new Problem(
          'content_encoding_unsupported',
          `The body is encoded as ${JSON.stringify(encoding.slice(0, 40))}. Send the file as it is, without Content-Encoding.`,
        );
      }
      guardRate(request, options, () => {
        const problem = new Problem(
          'request_timeout',
          `The body came slower than ${options.minBytesPerSecond} bytes per second for ${options.windowSeconds} s.`,
        );
        // Told to whoever reads the body, so that they leave nothing behind; destroying it would take the socket along.
        if (request.raw.listenerCount('error') > 0) request.raw.emit('error', problem);
        else if (!reply.sent) void reply.send(problem);
      });
    });
    /** Whose connection must end after the answer: the client, or a drain, said so. */
    const closing = new WeakSet<FastifyRequest>();
    app.addHook('onSend', async (request, reply) => {
      if (request.raw.complete) return;
      if (!reply.raw.shouldKeepAlive || reply.getHeader('connection') === 'close') closing.add(request);
      // Told to close, Node cuts the socket right after the answer, and unread bytes make a reset of that.
      void reply.removeHeader('connection');
      reply.raw.shouldKeepAlive = true;
    });
    app.addHook('onResponse', async (request) => {
      if (request.raw.complete) return;
      request.raw.unpipe();
      request.raw.resume();
      const { socket } = request.raw;
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      // The connection lives on and serves further requests: nothing of this one may stay on it.
      const stop = (): void => {
        clearTimeout(timer);
        socket.off('close', stop);
      };
      request.raw.once('end', () => {
        stop();
        if (closing.has(request)) socket.end();
      });
      socket.once('close', stop);
    });
  },
  { name: 'media-body' },
);

/** The one file of a request. Rejects with `file_missing`, `payload_too_large`, `malformed_multipart`, `upload_incomplete`, or what `take` rejects with. */
export async function receiveFile<T>(
  request: FastifyRequest,
  intake: FileIntake<T>,
): Promise<ReceivedFile<T>> {
  const { witness } = request;
  if (witness === undefined) return receive(request, intake);
  const digest = bodyDigest();
  const received = await receive(request, {
    ...intake,
    take: (file, name, fields) => intake.take(digest.observe(file), name, fields),
  });
  try {
    await witness(digest.of(received.fields));
  } catch (error) {
    await intake.undo(received.result);
    throw error;
  }
  return received;
}

async function receive<T>(request: FastifyRequest, intake: FileIntake<T>): Promise<ReceivedFile<T>> {
  const announced = contentLength(request);
  const isForm = request.isMultipart?.() ?? false;
  if (announced !== undefined && announced > intake.maxBytes + (isForm ? MULTIPART_OVERHEAD : 0))
    throw tooLarge(intake.maxBytes);
  if (isForm) return receiveForm(request, intake);
  if (!hasBody(request)) throw noFile();
  const name = fileNameOf(request.headers['content-disposition']);
  return { result: await intake.take(request.raw, name, new Map()), fields: new Map() };
}

async function receiveForm<T>(request: FastifyRequest, intake: FileIntake<T>): Promise<ReceivedFile<T>> {
  // Broken before we came: no event will tell the parser any more.
  if (request.raw.destroyed && !request.raw.complete) throw incomplete();
  const fields = new Map<string, string>();
  let received: { result: T } | undefined;
  try {
    const parts = request.parts();
    for (;;) {
      const { value: part, done } = await parts.next().catch((error: unknown) => {
        throw multipartProblem(error);
      });
      if (done === true || part === undefined) break;
      // The parser lets such parts through, whatever its types say.
      if ((part.fieldname as string | undefined) === undefined) {
        throw new Problem(
          'malformed_multipart',
          'A part of the form has no name. Send the file in the part "file".',
        );
      }
      if (part.type === 'field') {
        addField(fields, part, intake.fieldNames);
      } else if (part.fieldname === 'file') {
        const file = part.file;
        received = { result: await intake.take(file, cleanFileName(part.filename ?? ''), fields) };
      } else {
        throw new Problem(
          'invalid_request',
          `There is a file in the part ${JSON.stringify(part.fieldname.slice(0, 100))}. Send it in the part "file".`,
        );
      }
    }
    if (received === undefined) throw noFile();
    return { ...received, fields };
  } catch (error) {
    if (received !== undefined) await intake.undo(received.result);
    // The whole body came, and still the file had no end: that is the form's fault, not the connection's.
    if (error instanceof Problem && error.code === 'upload_incomplete' && request.raw.complete) {
      throw new Problem('malformed_multipart', 'The form ends without its last boundary.', { cause: error });
    }
    throw error;
  }
}

function addField(
  fields: Map<string, string>,
  part: { fieldname: string; value: unknown; valueTruncated: boolean },
  allowed: readonly string[] | 'any',
): void {
  const name = part.fieldname;
  if (allowed !== 'any' && !allowed.includes(name)) {
    const known =
      allowed.length === 0
        ? 'This call takes parameters in the URL only'
        : `Known are: ${allowed.join(', ')}`;
    throw new Problem(
      'invalid_request',
      `The form has a field ${JSON.stringify(name.slice(0, 100))} that is not known here. ${known}.`,
    );
  }
  if (fields.has(name)) throw new Problem('invalid_request', `The form has the field "${name}" twice.`);
  if (part.valueTruncated)
    throw new Problem('invalid_request', `The field "${name}" is longer than 256 KiB.`);
  // A part declared as JSON arrives parsed.
  fields.set(name, typeof part.value === 'string' ? part.value : JSON.stringify(part.value));
}

function multipartProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { code, message } = error as { code?: string; message?: string };
  switch (code) {
    case 'FST_FILES_LIMIT':
      return new Problem('invalid_request', 'The form has more than one file. Send one file per request.', {
        cause: error,
      });
    case 'FST_PARTS_LIMIT':
    case 'FST_FIELDS_LIMIT':
      return new Problem('invalid_request', 'The form has too many parts: at most 20 fields and one file.', {
        cause: error,
      });
    case 'FST_MP_PREMATURE_CLOSE':
      return incomplete(error);
    default:
      return new Problem(
        'malformed_multipart',
        `The form is not valid multipart/form-data: ${String(message).slice(0, 120)}.`,
        { cause: error },
      );
  }
}

function guardRate(
  request: FastifyRequest,
  { minBytesPerSecond, windowSeconds }: MediaBodyOptions,
  onSlow: () => void,
): void {
  const { raw } = request;
  const { socket } = raw;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    if (raw.complete || socket.destroyed) {
      clearInterval(timer);
    } else if (socket.bytesRead - before < minBytesPerSecond * windowSeconds && !raw.isPaused()) {
      // A body that we have paused is waiting for our disk, not for the client.
      clearInterval(timer);
      onSlow();
    } else {
      before = socket.bytesRead;
    }
  }, windowSeconds * 1000);
  const stop = (): void => clearInterval(timer);
  raw.once('end', stop);
  raw.once('close', stop);
}

/** Whether a body is announced that has, or may have, a byte. */
export function hasBody(request: FastifyRequest): boolean {
  return request.headers['transfer-encoding'] !== undefined || (contentLength(request) ?? 0) > 0;
}

/** Content-Length in bytes, or undefined where it is not told. */
export function contentLength(request: FastifyRequest): number | undefined {
  const header = request.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}

export function tooLarge(maxBytes: number): Problem {
  return new Problem(
    'payload_too_large',
    `The upload is larger than the ${maxBytes} bytes that are allowed here.`,
  );
}

function noFile(): Problem {
  return new Problem(
    'file_missing',
    'Send the file as the body, or as the part "file" of multipart/form-data.',
  );
}

/** The name in a request's Content-Disposition, for raw bodies. */
function fileNameOf(header: string | undefined): string | null {
  const match = /filename="?([^";]{1,255})"?/i.exec(header ?? '');
  return match?.[1] === undefined ? null : cleanFileName(match[1]);
}
