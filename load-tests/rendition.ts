// Renditions as answers: which calls ask for one, and whether what came is right.

import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { call } from './call.ts';
import type { Answer, Volley } from './cannon.ts';
import { checkEqual } from './check.ts';
import type { Photo } from './media.ts';

export interface Expected {
  readonly mediaType: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/** What `?width=N` makes of a photo. */
export function expectedRendition(photo: Photo, width: number): Expected {
  return { mediaType: 'image/jpeg', width, height: Math.round((photo.height * width) / photo.width) };
}

/** The photo as the body of a call, or as the part `file` of a form. */
export function imageCall(
  address: string,
  photo: Photo,
  width: number,
  body: Buffer | 'form',
): Pick<Volley, 'url' | 'method' | 'headers' | 'body' | 'form'> {
  const url = `${address}/v1/images?width=${width}`;
  return body === 'form'
    ? {
        url,
        method: 'POST',
        form: { file: { type: 'file', path: photo.path, options: { contentType: 'image/jpeg' } } },
      }
    : { url, method: 'POST', headers: { 'content-type': 'image/jpeg' }, body };
}

/** Looks at one answer in full: decodes it. Returns its bytes; rejects with CheckFailed where anything is not as expected. */
export async function checkRendition(
  address: string,
  photo: Photo,
  width: number,
  expected: Expected,
  signal: AbortSignal,
): Promise<Buffer> {
  const answer = await call(`${address}/v1/images?width=${width}`, signal, {
    method: 'POST',
    headers: { 'content-type': 'image/jpeg' },
    body: await readFile(photo.path),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const text = answer.ok ? '' : bytes.toString();
  checkEqual(
    `an image ${text}`,
    [answer.status, answer.headers.get('content-type')],
    [200, expected.mediaType],
  );
  const { info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  const { format } = await sharp(bytes).metadata();
  checkEqual(
    'the size of a rendition',
    [`image/${format}`, info.width, info.height],
    [expected.mediaType, expected.width, expected.height],
  );
  return bytes;
}

/** Looks at every answer under load, by its headers: autocannon keeps bodies as text only. */
export function examineRendition(expected: Expected, bytes: number): (answer: Answer) => string | undefined {
  const size = `${expected.width}x${expected.height}`;
  return ({ status, headers }) => {
    const came = [
      status,
      headers['content-type'],
      headers['mediamill-size'],
      Number(headers['content-length']),
    ];
    const wanted = [200, expected.mediaType, size, bytes];
    return came.every((value, i) => value === wanted[i])
      ? undefined
      : `expected ${wanted.join(', ')}; came ${came.join(', ')}`;
  };
}
