// Both ways to send several files as one answer, read back by what others wrote.

import { unzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { multipartMixed } from '../../src/lib/multipart-mixed.ts';
import { storedZip } from '../../src/lib/stored-zip.ts';
import type { NamedBytes, PackedBody } from '../../src/lib/stored-zip.ts';

const files: NamedBytes[] = [
  { name: 'manifest.json', mediaType: 'application/json', data: Buffer.from('{"a":1}') },
  { name: '320.webp', mediaType: 'image/webp', data: new Uint8Array(600_000).fill(7) },
  { name: 'empty.bin', mediaType: 'image/png', data: new Uint8Array() },
];

function whole({ chunks, length }: PackedBody): Buffer {
  const bytes = Buffer.concat([...chunks]);
  expect(bytes.length).toBe(length);
  return bytes;
}

it('storedZip gives the files back, in as many bytes as it says', () => {
  const packed = storedZip(files);
  expect(packed.contentType).toBe('application/zip');
  const read = unzipSync(new Uint8Array(whole(packed)));
  expect(Object.keys(read)).toEqual(files.map(({ name }) => name));
  for (const { name, data } of files) expect(Buffer.from(read[name]!).equals(data)).toBe(true);
});

it('multipartMixed gives the files back, in as many bytes as it says', () => {
  const packed = multipartMixed(files);
  const bytes = whole(packed).toString('latin1');
  const boundary = /^multipart\/mixed; boundary="([\w-]{1,70})"$/.exec(packed.contentType)?.[1] ?? '';
  const parts = bytes.split(`--${boundary}`);
  expect(parts.at(0)).toBe('');
  expect(parts.at(-1)).toBe('--\r\n');
  const read = parts.slice(1, -1).map((part) => {
    const [head = '', ...body] = part.split('\r\n\r\n');
    return { head, body: body.join('\r\n\r\n').replace(/\r\n$/, '') };
  });
  expect(read.map(({ body }) => body)).toEqual(files.map(({ data }) => Buffer.from(data).toString('latin1')));
  expect(read[1]?.head.trim().split('\r\n')).toEqual([
    'Content-Type: image/webp',
    'Content-Length: 600000',
    'Content-Disposition: attachment; filename="320.webp"',
  ]);
});

it('multipartMixed has another boundary each time', () => {
  expect(multipartMixed(files).contentType).not.toBe(multipartMixed(files).contentType);
});
