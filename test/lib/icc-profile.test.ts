import sharp from 'sharp';
import { expect, it } from 'vitest';
import { readIccProfile } from '../../src/lib/icc-profile.ts';
import { seededRandom } from '../support/random.ts';

async function profile(name: string): Promise<Buffer> {
  const image = sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } });
  const { icc } = await sharp(await image.withIccProfile(name).jpeg().toBuffer()).metadata();
  if (icc === undefined) throw new Error('no profile');
  return icc;
}

it.each([
  ['p3', /P3/, 'RGB'],
  ['srgb', /sRGB/, 'RGB'],
  ['cmyk', /./, 'CMYK'],
])('reads the name and space of %s', async (name, wanted, space) => {
  const read = readIccProfile(await profile(name));
  expect(read.name).toMatch(wanted);
  expect(read.space).toBe(space);
});

it('reads the name of a version 4 profile', () => {
  const bytes = Buffer.alloc(220);
  bytes.write('RGB ', 16, 'latin1');
  bytes.writeUInt32BE(1, 128);
  bytes.write('desc', 132, 'latin1');
  bytes.writeUInt32BE(144, 136);
  bytes.write('mluc', 144, 'latin1');
  bytes.writeUInt32BE(1, 152);
  bytes.writeUInt32BE(10, 164);
  bytes.writeUInt32BE(28, 168);
  bytes.write('\0W\0e\0i\0t\0\xe9', 172, 'latin1');
  expect(readIccProfile(bytes)).toEqual({ name: 'Weité', space: 'RGB' });
});

it('survives whatever the bytes are', async () => {
  const good = await profile('p3');
  const random = seededRandom(12);
  for (let round = 0; round < 3000; round++) {
    const bad = new Uint8Array(good.subarray(0, random.between(0, good.length)));
    for (let hits = random.between(0, 20); hits > 0 && bad.length > 0; hits--) {
      bad[random.between(0, Math.min(bad.length, 400) - 1)] = random.between(0, 255);
    }
    const { name } = readIccProfile(bad);
    if (name !== null) expect(name).toMatch(/^[^\p{Cc}]{1,400}$/u);
  }
});
