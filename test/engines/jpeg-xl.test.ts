import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FFMPEG } from '../support/fixtures.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const hasEncoder = execFileSync(FFMPEG, ['-hide_banner', '-encoders']).includes('libjxl');

describe.skipIf(!hasEncoder)('JPEG XL', () => {
  let folder: string;
  let server: TestServer;
  let picture: Uint8Array<ArrayBuffer>;
  const post = (path: string, body: Uint8Array<ArrayBuffer>): Promise<Response> =>
    server.request(path, { method: 'POST', body });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mediamill-jxl-'));
    const half = { width: 120, height: 160, channels: 3 as const, background: '#d02020' };
    const png = await sharp({ create: { ...half, width: 240, background: '#2040d0' } })
      .composite([{ input: { create: half }, left: 0, top: 0 }])
      .removeAlpha()
      .png()
      .toBuffer();
    await writeFile(join(folder, 'in.png'), png);
    execFileSync(FFMPEG, [
      '-loglevel',
      'error',
      '-i',
      join(folder, 'in.png'),
      '-c:v',
      'libjxl',
      '-distance',
      '0.5',
      join(folder, 'in.jxl'),
    ]);
    picture = new Uint8Array(await readFile(join(folder, 'in.jxl')));
    server = await startTestServer({ IMAGE_MAX_PIXELS: '100000' });
  }, 60_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it('comes out as any other picture, the right way round, as JPEG if nothing is said', async () => {
    const response = await post('/v1/images?width=120', picture);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    const { data, info } = await sharp(await response.arrayBuffer())
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 120, height: 80 });
    const at = (x: number): number[] => [
      ...data.subarray((40 * 120 + x) * info.channels, (40 * 120 + x) * info.channels + 3),
    ];
    const left = at(20);
    const right = at(100);
    for (const [i, value] of [0xd0, 0x20, 0x20].entries())
      expect(Math.abs((left[i] ?? 0) - value)).toBeLessThan(12);
    for (const [i, value] of [0x20, 0x40, 0xd0].entries())
      expect(Math.abs((right[i] ?? 0) - value)).toBeLessThan(12);
  });

  it('can be looked into', async () => {
    const response = await post('/v1/images/info?fields=size,format,mediaType', picture);
    expect(await response.json()).toEqual({ width: 240, height: 160, format: 'jxl', mediaType: 'image/jxl' });
  });

  it('is refused when it is cut off or too large, and leaves nothing behind', async () => {
    const cut = await post('/v1/images?width=100', picture.slice(0, picture.length >> 1));
    expect(await problemOf(cut)).toMatchObject({ code: 'image_unreadable' });
    execFileSync(FFMPEG, [
      '-loglevel',
      'error',
      '-f',
      'lavfi',
      '-i',
      'color=red:s=500x400',
      '-frames:v',
      '1',
      '-c:v',
      'libjxl',
      join(folder, 'big.jxl'),
    ]);
    const big = await post('/v1/images?width=100', new Uint8Array(await readFile(join(folder, 'big.jxl'))));
    expect(await problemOf(big)).toMatchObject({ code: 'image_too_large' });
    const [owner = ''] = await readdir(join(server.config.DATA_DIR, 'store/work'));
    expect(await readdir(join(server.config.DATA_DIR, 'store/work', owner))).toEqual([]);
  });
});
