// Several files as one answer: multipart/mixed (RFC 2046, 5.1.3).

import { randomBytes } from 'node:crypto';
import { contentDisposition } from './content-disposition.ts';
import type { NamedBytes, PackedBody } from './stored-zip.ts';

export function multipartMixed(parts: readonly NamedBytes[]): PackedBody {
  // Random, so that it stands in none of the files.
  const boundary = `mediamill-${randomBytes(18).toString('base64url')}`;
  const chunks = [
    ...parts.flatMap(({ name, mediaType, data }) => [
      Buffer.from(
        `--${boundary}\r\nContent-Type: ${mediaType}\r\nContent-Length: ${data.length}\r\nContent-Disposition: ${contentDisposition(name, 'attachment')}\r\n\r\n`,
      ),
      data,
      LINE_END,
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ];
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return { contentType: `multipart/mixed; boundary="${boundary}"`, length, chunks };
}

const LINE_END = Buffer.from('\r\n');
