import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readExif } from '../../src/lib/exif.ts';
import { seededRandom } from '../support/random.ts';

/** EXIF data as a camera would write them, made by libvips. */
async function written(ifds: Record<string, Record<string, string>>): Promise<Buffer> {
  const image = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } });
  const { exif } = await sharp(await image.withExif(ifds).jpeg().toBuffer()).metadata();
  if (exif === undefined) throw new Error('no EXIF was written');
  return exif;
}

const camera = {
  IFD0: {
    Make: 'Moller',
    Model: 'M 1',
    Copyright: '(C) Ann',
    Artist: 'Ann',
    Software: 'x',
    DateTime: '2020:01:02 03:04:05',
  },
  IFD2: {
    ExposureTime: '1/125',
    FNumber: '28/10',
    ISOSpeedRatings: '200',
    DateTimeOriginal: '2024:05:06 07:08:09',
    ExposureBiasValue: '-1/3',
    Flash: '1',
    FocalLength: '50/1',
    FocalLengthIn35mmFilm: '75',
    LensModel: 'Fifty',
  },
};
const place = {
  IFD3: {
    GPSLatitudeRef: 'S',
    GPSLatitude: '33/1 51/1 3540/100',
    GPSLongitudeRef: 'E',
    GPSLongitude: '151/1 12/1 36/1',
    GPSAltitudeRef: '0',
    GPSAltitude: '385/10',
  },
};

describe('readExif', () => {
  it('reads camera, exposure, rights and place', async () => {
    expect(readExif(await written({ ...camera, ...place }))).toEqual({
      exif: {
        make: 'Moller',
        model: 'M 1',
        lens: 'Fifty',
        software: 'x',
        artist: 'Ann',
        copyright: '(C) Ann',
        takenAt: '2024-05-06T07:08:09',
        exposureSeconds: 0.008,
        fNumber: 2.8,
        iso: 200,
        exposureBias: -0.333333,
        flash: true,
        focalLengthMm: 50,
        focalLength35Mm: 75,
      },
      position: { latitude: -33.8598333, longitude: 151.21, altitudeMetres: 38.5 },
    });
  });

  it('tells nothing that is not there', async () => {
    expect(readExif(await written({ IFD0: { Make: 'M' } }))).toMatchObject({
      exif: { make: 'M' },
      position: null,
    });
    expect(readExif(Buffer.alloc(0))).toBeNull();
    expect(readExif(Buffer.from('Exif\0\0II'))).toBeNull();
    expect(readExif(Buffer.from('this is text, and no TIFF'))).toBeNull();
  });

  it.each([
    ['no day', { IFD2: { DateTimeOriginal: '2024:13:41 25:61:61' } }],
    ['spaces', { IFD2: { DateTimeOriginal: '    :  :     :  :  ' } }],
  ])('leaves out a moment that is none: %s', async (_name, ifds) => {
    expect(readExif(await written(ifds))?.exif.takenAt).toBeUndefined();
  });

  it('leaves out places that are not on Earth', async () => {
    const beyond = { IFD3: { ...place.IFD3, GPSLatitude: '97/1 0/1 0/1' } };
    expect(readExif(await written(beyond))?.position).toBeNull();
  });

  it('reads big-endian data, and skips values that lie outside', () => {
    const entries = [
      [271, 2, 4, 0x41_c3_b6_00], // Make: "Aö", as many write it
      [305, 2, 4, 0x1b_5b_41_00], // Software, with a control character
      [272, 2, 900, 0xff_ff_ff_f0], // Model: far outside
      [34_665, 4, 1, 8], // Exif: the same directory again
    ] as const;
    const bytes = Buffer.alloc(8 + 2 + entries.length * 12 + 4);
    bytes.write('MM\0*', 0, 'latin1');
    bytes.writeUInt32BE(8, 4);
    bytes.writeUInt16BE(entries.length, 8);
    for (const [i, [tag, type, count, value]] of entries.entries()) {
      bytes.writeUInt16BE(tag, 10 + i * 12);
      bytes.writeUInt16BE(type, 12 + i * 12);
      bytes.writeUInt32BE(count, 14 + i * 12);
      bytes.writeUInt32BE(value, 18 + i * 12);
    }
    expect(readExif(bytes)).toEqual({ exif: { make: 'Aö', software: '[A' }, position: null });
  });

  it('survives whatever the bytes are', async () => {
    const good = await written({ ...camera, ...place });
    const random = seededRandom(11);
    for (let round = 0; round < 3000; round++) {
      const bad = new Uint8Array(good.subarray(0, random.between(0, good.length)));
      for (let hits = random.between(0, 12); hits > 0 && bad.length > 0; hits--) {
        bad[random.between(0, bad.length - 1)] = random.between(0, 255);
      }
      const read = readExif(bad);
      for (const value of Object.values(read?.exif ?? {})) {
        if (typeof value === 'number') expect(value).toSatisfy(Number.isFinite);
        if (typeof value === 'string') expect(value).toMatch(/^[^\p{Cc}]{1,200}$/u);
      }
      if (read?.position) {
        expect(Math.abs(read.position.latitude)).toBeLessThanOrEqual(90);
        expect(Math.abs(read.position.longitude)).toBeLessThanOrEqual(180);
      }
    }
  });
});
