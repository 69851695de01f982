// All sixteen: eight EXIF orientations of a landscape and of a portrait come out upright, and tell nothing of where they were taken.

import { execFileSync, spawnSync } from 'node:child_process';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const hasExiftool = spawnSync('exiftool', ['-ver']).status === 0;
const CORNERS = {
  northwest: '#e01010',
  northeast: '#10e010',
  southwest: '#1010e0',
  southeast: '#e0e010',
} as const;
/** What undoes each orientation (EXIF 2.32, 4.6.4): mirrored first, then turned. */
const UNDO: Readonly<Record<number, { flop?: boolean; flip?: boolean; angle?: number }>> = {
  1: {},
  2: { flop: true },
  3: { angle: 180 },
  4: { flip: true },
  5: { flop: true, angle: 270 },
  6: { angle: 270 },
  7: { flop: true, angle: 90 },
  8: { angle: 90 },
};

/** A picture with a colour of its own in every corner, as a camera held so would have stored it. */
async function stored(width: number, height: number, orientation: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts = Object.entries(CORNERS).map(([gravity, background]) => ({
    input: { create: { width: width / 2, height: height / 2, channels: 3 as const, background } },
    gravity,
  }));
  const upright = await sharp({ create: { width, height, channels: 3, background: '#000' } })
    .composite(parts)
    .removeAlpha()
    .png()
    .toBuffer();
  const { flop = false, flip = false, angle = 0 } = UNDO[orientation] ?? {};
  const mirrored = await sharp(upright).flop(flop).flip(flip).png().toBuffer();
  const turned = await sharp(mirrored).rotate(angle).png().toBuffer();
  const exif = { IFD0: { Make: 'Camera' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' } };
  const jpeg = sharp(turned).jpeg({ quality: 95 }).withExif(exif).withMetadata({ orientation });
  return new Uint8Array(await jpeg.toBuffer());
}

describe.each([
  ['landscape', 240, 160],
  ['portrait', 160, 240],
])('a %s', (_shape, width, height) => {
  let server: TestServer;
  const sources = new Map<number, Uint8Array<ArrayBuffer>>();
  beforeAll(async () => {
    // Made before the server blocks loaders for the whole process.
    for (let orientation = 1; orientation <= 8; orientation++)
      sources.set(orientation, await stored(width, height, orientation));
    server = await startTestServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('of orientation %d', async (orientation) => {
    const source = sources.get(orientation);
    if (source === undefined) throw new Error('no source');
    expect((await sharp(source).metadata()).orientation).toBe(orientation);
    const response = await server.request(`/v1/images?width=${width / 2}`, { method: 'POST', body: source });
    const bytes = Buffer.from(await response.arrayBuffer());
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: width / 2, height: height / 2 });
    const x = { west: 10, east: info.width - 10 };
    const y = { north: 10, south: info.height - 10 };
    for (const [corner, colour] of Object.entries(CORNERS)) {
      const at =
        (y[corner.slice(0, 5) as 'north'] * info.width + x[corner.slice(5) as 'west']) * info.channels;
      const want = [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16));
      for (const [i, value] of want.entries())
        expect(Math.abs((data[at + i] ?? 0) - value), corner).toBeLessThan(20);
    }
    if (!hasExiftool) return;
    const tags = JSON.parse(String(execFileSync('exiftool', ['-json', '-G', '-'], { input: bytes }))) as [
      Record<string, unknown>,
    ];
    expect(
      Object.keys(tags[0]).filter((tag) => /^(?:EXIF|XMP|IPTC|MakerNotes|Composite:GPS)/.test(tag)),
    ).toEqual([]);
  });
});
