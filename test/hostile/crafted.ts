// Files that no honest program writes, byte by byte: sizes that are only claimed, endless scans, bombs.

import { deflateSync, crc32 } from 'node:zlib';
import type { Random } from '../support/random.ts';

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u32le(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([ascii(type), data]);
  return Buffer.concat([u32be(data.length), body, u32be(crc32(body))]);
}

/** 8-bit grey. `rows` is what stands compressed in it, whatever the size says. */
export function png(
  width: number,
  height: number,
  rows: Buffer,
  extra: readonly { readonly type: string; readonly data: Buffer }[] = [],
): Buffer {
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', Buffer.concat([u32be(width), u32be(height), Buffer.from([8, 0, 0, 0, 0])])),
    ...extra.map(({ type, data }) => pngChunk(type, data)),
    pngChunk('IDAT', deflateSync(rows, { level: 9 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A colour profile that is `bytes` zeros when unpacked. */
export function profileBomb(bytes: number): { type: string; data: Buffer } {
  return {
    type: 'iCCP',
    data: Buffer.concat([ascii('icc\0\0'), deflateSync(Buffer.alloc(bytes), { level: 9 })]),
  };
}

function riff(...chunks: readonly (readonly [string, Buffer])[]): Buffer {
  const body = Buffer.concat(
    chunks.flatMap(([type, data]) => [ascii(type), u32le(data.length), data, Buffer.alloc(data.length % 2)]),
  );
  return Buffer.concat([ascii('RIFF'), u32le(body.length + 4), ascii('WEBP'), body]);
}

/** A lossless WebP of a few bytes that claims the size (at most 16384 a side). */
export function webpLosslessClaim(width: number, height: number): Buffer {
  const head = Buffer.alloc(10);
  head[0] = 0x2f;
  head.writeUInt32LE(((width - 1) | ((height - 1) << 14)) >>> 0, 1);
  return riff(['VP8L', head]);
}

/** An extended WebP whose canvas claims the size (at most 2^24 a side), with nothing on it. */
export function webpCanvasClaim(width: number, height: number, animated: boolean): Buffer {
  const head = Buffer.alloc(10);
  head[0] = animated ? 0x02 : 0;
  head.writeUIntLE(width - 1, 4, 3);
  head.writeUIntLE(height - 1, 7, 3);
  return riff(['VP8X', head], ['ANIM', Buffer.alloc(6)]);
}

const GIF_FRAME = Buffer.from([0x02, 0x02, 0x44, 0x01, 0x00]); // LZW: two pixels

/** A GIF with a screen of the size and `frames` tiny frames. */
export function gif(
  width: number,
  height: number,
  frames: number,
  frameSize = { width: 1, height: 1 },
): Buffer {
  const screen = Buffer.concat([u16(width), u16(height), Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255])]);
  const frame = Buffer.concat([
    Buffer.from([0x21, 0xf9, 4, 0, 1, 0, 0, 0]),
    Buffer.from([0x2c, 0, 0, 0, 0]),
    u16(frameSize.width),
    u16(frameSize.height),
    Buffer.from([0]),
    GIF_FRAME,
  ]);
  return Buffer.concat([
    ascii('GIF89a'),
    screen,
    ...Array.from({ length: frames }, () => frame),
    Buffer.from([0x3b]),
  ]);
}

/** A progressive JPEG with its last scan again and again. */
export function jpegWithScans(progressive: Buffer, scans: number): Buffer {
  const start = progressive.lastIndexOf(Buffer.from([0xff, 0xda]));
  const end = progressive.lastIndexOf(Buffer.from([0xff, 0xd9]));
  if (start < 0 || end < start) throw new Error('not a JPEG with a scan');
  const scan = progressive.subarray(start, end);
  return Buffer.concat([
    progressive.subarray(0, end),
    ...Array.from({ length: scans }, () => scan),
    progressive.subarray(end),
  ]);
}

/** A JPEG with `count` segments of application data before its picture. */
export function jpegWithHeaders(jpeg: Buffer, count: number, bytes: number): Buffer {
  const segment = Buffer.concat([
    Buffer.from([0xff, 0xef, (bytes + 2) >> 8, (bytes + 2) & 255]),
    Buffer.alloc(bytes, 65),
  ]);
  return Buffer.concat([
    jpeg.subarray(0, 2),
    ...Array.from({ length: count }, () => segment),
    jpeg.subarray(2),
  ]);
}

/** A JPEG whose frame header claims another size. */
export function jpegClaim(jpeg: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(jpeg);
  for (let at = 2; copy[at] === 0xff; at += 2 + copy.readUInt16BE(at + 2)) {
    const kind = copy[at + 1] ?? 0;
    if (kind < 0xc0 || kind > 0xc2) continue;
    copy.writeUInt16BE(height, at + 5);
    copy.writeUInt16BE(width, at + 7);
    return copy;
  }
  throw new Error('no frame header found');
}

/** A TIFF whose directory says that it is its own successor. */
export function tiffLoop(width: number, height: number): Buffer {
  const entries = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, 1, 8],
    [259, 3, 1, 1],
    [262, 3, 1, 1],
    [273, 4, 1, 8],
    [277, 3, 1, 1],
    [278, 4, 1, height],
    [279, 4, 1, 64],
  ] as const;
  const directory = entries.map(([tag, type, count, value]) =>
    Buffer.concat([u16(tag), u16(type), u32le(count), u32le(value)]),
  );
  return Buffer.concat([
    ascii('II*\0'),
    u32le(8),
    u16(entries.length),
    ...directory,
    u32le(8),
    Buffer.alloc(64),
  ]);
}

/** A ZIP with one stored file. */
export function zip(name: string, content: Buffer): Buffer {
  const common = Buffer.concat([
    Buffer.from([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    u32le(crc32(content)),
    u32le(content.length),
    u32le(content.length),
    u16(name.length),
    u16(0),
  ]);
  const local = Buffer.concat([ascii('PK\x03\x04'), common, ascii(name), content]);
  const central = Buffer.concat([ascii('PK\x01\x02'), u16(20), common, Buffer.alloc(14), ascii(name)]);
  const end = [
    ascii('PK\x05\x06'),
    Buffer.alloc(4),
    u16(1),
    u16(1),
    u32le(central.length),
    u32le(local.length),
    u16(0),
  ];
  return Buffer.concat([local, central, ...end]);
}

/** The first `percent` of a file. */
export function cutOff(bytes: Buffer, percent: number): Buffer {
  return Buffer.from(bytes.subarray(0, Math.floor((bytes.length * percent) / 100)));
}

/** A copy with `count` bits turned at random places. */
export function flipBits(bytes: Buffer, count: number, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = 0; i < count; i++) {
    const at = random.between(0, copy.length - 1);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.between(0, 7));
  }
  return copy;
}
