// A file in pieces by tus 1.0 (https://tus.io/protocols/resumable-upload), resumed where the connection broke.

import { MediamillError } from './error.ts';
import { backOff, pause } from './transport.ts';
import type { Transport } from './transport.ts';

export interface UploadProgress {
  /** Bytes that the server has. */
  readonly sent: number;
  readonly total: number;
}

export interface UploadOptions {
  /** What the file is called. That of a `File` unless told. */
  readonly name?: string | undefined;
  /** The id of an upload that was begun before, with the same file: goes on where that one broke. */
  readonly resume?: string | undefined;
  /** Bytes in one request. 8 MiB unless told. */
  readonly chunkBytes?: number | undefined;
  /** Tells the id as soon as there is one: what `resume` takes. */
  readonly onStart?: ((id: string) => void) | undefined;
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TUS = { 'tus-resumable': '1.0.0' };
/** Pieces in a row that brought nothing before it is given up. */
const MAX_FAILURES = 8;

/** Sends all of it, and tells the id of the upload, which can be used as a source then. Rejects with MediamillError, or with the signal's reason. */
export async function uploadInPieces(
  { send, json }: Transport,
  file: Blob,
  options: UploadOptions = {},
): Promise<string> {
  const { chunkBytes = 8 * 1024 * 1024, onProgress, signal } = options;
  const id = options.resume ?? (await begin());
  options.onStart?.(id);
  const path = `/v1/uploads/${encodeURIComponent(id)}`;
  let offset = options.resume === undefined ? 0 : await offsetOf();
  tell();
  for (let failures = 0; offset < file.size; ) {
    try {
      const answer = await send(path, {
        method: 'PATCH',
        headers: {
          ...TUS,
          'upload-offset': String(offset),
          'content-type': 'application/offset+octet-stream',
        },
        body: file.slice(offset, offset + chunkBytes),
        signal,
        // Sent again as it is, a piece that did arrive would be refused.
        retries: 0,
      });
      offset = Number(answer.headers.get('upload-offset') ?? Number.NaN);
      if (!Number.isSafeInteger(offset)) offset = await offsetOf();
      failures = 0;
      tell();
    } catch (error) {
      if (!(error instanceof MediamillError) || !mayPass(error) || failures >= MAX_FAILURES) throw error;
      await pause(Math.max((error.retryAfter ?? 0) * 1000, backOff(failures++)), signal);
      const before = offset;
      offset = await offsetOf();
      if (offset > before) failures = 0;
      tell();
    }
  }
  // The server may still be joining the pieces, behind its last answer; before that they are no source.
  for (let looks = 0; (await look()).status === 'receiving'; looks++) await pause(backOff(looks), signal);
  return id;

  function look(): Promise<{ status: string }> {
    return json(path, { signal });
  }

  function tell(): void {
    onProgress?.({ sent: offset, total: file.size });
  }

  async function begin(): Promise<string> {
    const name = options.name ?? (file instanceof File ? file.name : undefined);
    const answer = await send('/v1/uploads', {
      method: 'POST',
      creates: true,
      headers: {
        ...TUS,
        'upload-length': String(file.size),
        'upload-metadata': name === undefined ? undefined : `filename ${base64(name)}`,
      },
      signal,
    });
    const begun = answer.headers
      .get('location')
      ?.split(/[?#]/)[0]
      ?.split('/')
      .findLast((part) => part !== '');
    if (begun === undefined)
      throw new MediamillError({
        code: 'unexpected_answer',
        status: answer.status,
        detail: 'The upload was begun, but the answer has no Location.',
      });
    return decodeURIComponent(begun);
  }

  async function offsetOf(): Promise<number> {
    const answer = await send(path, { method: 'HEAD', headers: TUS, signal });
    const length = answer.headers.get('upload-length');
    if (length !== null && Number(length) !== file.size)
      throw new MediamillError({
        code: 'invalid_request',
        status: 0,
        detail: `The upload ${id} is of a file of ${length} bytes, and this one has ${file.size}. Begin a new one.`,
      });
    return Number(answer.headers.get('upload-offset') ?? 0);
  }
}

/** 409: the offset was wrong, 423: another request still holds it, 460: the piece came damaged. */
function mayPass({ status }: MediamillError): boolean {
  return (
    status === 0 ||
    status === 408 ||
    status === 409 ||
    status === 423 ||
    status === 460 ||
    status === 429 ||
    (status >= 500 && status !== 507)
  );
}

/** Of its UTF-8. */
function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
