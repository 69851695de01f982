// The files of a multipart/mixed answer (RFC 2046, 5.1.3) whose parts tell their lengths, as this server's do.

import { MediamillError } from './error.ts';

export interface NamedFile {
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Rejects with MediamillError `unexpected_answer` for a body that is not whole. */
export async function readMixedParts(response: Response): Promise<NamedFile[]> {
  const body = new Uint8Array(await response.arrayBuffer());
  const boundary = /boundary="?([^";]+)"?/.exec(response.headers.get('content-type') ?? '')?.[1];
  const opening = `--${boundary}\r\n`;
  const latin = new TextDecoder('latin1');
  const files: NamedFile[] = [];
  let at = 0;
  const textAt = (length: number): string => latin.decode(body.subarray(at, at + length));
  while (textAt(opening.length) === opening) {
    at += opening.length;
    const head = textAt(4096).split('\r\n\r\n', 1)[0] ?? '';
    at += head.length + 4;
    const field = (pattern: RegExp): string => pattern.exec(head)?.[1] ?? '';
    const length = Number(field(/^content-length: (\d+)$/im) || Number.NaN);
    const bytes = body.slice(at, at + length);
    if (bytes.length !== length) break;
    files.push({
      name: field(/filename="([^"]*)"/i),
      mediaType: field(/^content-type: (.+)$/im),
      bytes,
    });
    at += length + 2;
  }
  if (boundary !== undefined && textAt(boundary.length + 4) === `--${boundary}--`) return files;
  throw new MediamillError({
    code: 'unexpected_answer',
    status: response.status,
    detail: 'The answer is not a whole multipart/mixed body.',
  });
}
