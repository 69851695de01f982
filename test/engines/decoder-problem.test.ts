// The decoder's errors have only a text: these are the texts of the sharp that is installed.

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decoderProblem } from '../../src/engines/decoder-problem.ts';
import { picture } from './pictures.ts';

const failure = (pass: Promise<unknown>): Promise<unknown> =>
  pass.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error,
  );

describe('an error of sharp', () => {
  it('about pixels is image_too_large', async () => {
    const png = await picture(20, 20).png().toBuffer();
    const error = await failure(sharp(png, { limitInputPixels: 10 }).toBuffer());
    expect(decoderProblem(error, 'decoding', 'PNG').code).toBe('image_too_large');
  });

  it('about a crop is crop_outside', async () => {
    const error = await failure(
      picture(20, 20).extract({ left: 5, top: 5, width: 20, height: 5 }).toBuffer(),
    );
    expect(decoderProblem(error, 'decoding', 'PNG').code).toBe('crop_outside');
  });

  it('about the size of a file to write is rendition_too_large', async () => {
    const create = { width: 16_500, height: 1, channels: 3, background: 'red' } as const;
    const error = await failure(sharp({ create }).webp().toBuffer());
    const { code, message } = decoderProblem(error, 'afterwards', 'PNG');
    expect(code).toBe('rendition_too_large');
    expect(message).toMatch(/WebP/);
  });

  it('while decoding is image_unreadable, with the first reason', async () => {
    const jpeg = await picture(200, 200).jpeg().toBuffer();
    const error = await failure(sharp(jpeg.subarray(0, 900), { failOn: 'error' }).toBuffer());
    const { code, message } = decoderProblem(error, 'decoding', 'JPEG');
    expect(code).toBe('image_unreadable');
    expect(message).toMatch(/^The JPEG cannot be decoded: premature end of JPEG image\. Send/);
  });

  it('is not told by the noise around it', () => {
    const text =
      'source: bad seek to 1024\nsource: bad seek to 896\nheif: Invalid input: No item data\nvips2png: unable to write';
    expect(decoderProblem(new Error(text), 'decoding', 'AVIF').message).toContain(
      'decoded: Invalid input: No item data.',
    );
  });

  it('afterwards is our mistake', () => {
    expect(decoderProblem(new Error('vips: something'), 'afterwards', 'JPEG').code).toBe('internal_error');
  });

  it('never tells a path or strange characters', () => {
    const { message } = decoderProblem(
      new Error('Input buffer has corrupt header: VipsJpeg: cannot open /srv/mediamill/data/x\u0007\nmore'),
      'decoding',
      'JPEG',
    );
    expect(message).toContain('cannot open a file.');
    expect(message).not.toMatch(/srv|more/);
    expect(message).not.toContain('\u0007');
  });
});
