import { describe, expect, it } from 'vitest';
import { checkMeasured, checkSource } from '../../src/engines/source-bounds.ts';
import { probeOf } from '../operations/video/sources.ts';

const bounds = { maxSeconds: 3600, maxPixels: 1920 * 1080 };

describe('a source', () => {
  it('within the bounds is taken', () => {
    expect(() => checkSource(probeOf(), bounds)).not.toThrow();
    expect(() => checkSource(probeOf({ fps: null, durationSeconds: null }), bounds)).not.toThrow();
  });

  it.each([
    ['video_too_long', probeOf({}, {}, { durationSeconds: 72_001 }), '72001 s'],
    ['video_too_long', probeOf({ durationSeconds: 3601 }), '3600 s'],
    ['video_too_complex', probeOf({}, {}, { streams: 17 }), '17 streams'],
    ['video_too_complex', probeOf({ width: 1921 }), '1921 × 1080'],
    [
      'video_too_complex',
      probeOf({ width: 400, height: 200, pixelAspect: 70 }),
      '400 × 200 is shown as 28000 × 200 = 5600000 pixels; at most 2073600 are taken, and 16384 on a side',
    ],
    ['video_too_complex', probeOf({ width: 1000, height: 400, pixelAspect: 6 }), '6000 × 400 = 2400000'],
    ['video_too_complex', probeOf({ width: 10_000, height: 100, pixelAspect: 2 }), '20000 × 100 = 2000000'],
    ['video_too_complex', probeOf({ fps: 240 }), '240 frames per second'],
    ['video_too_complex', probeOf({}, { channels: 9 }), '9 channels'],
  ])('is refused as %s', (code, probe, naming) => {
    expect(() => checkSource(probe, bounds)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(naming) }),
    );
  });

  it('whose length was measured is refused past the bound', () => {
    expect(() => checkMeasured(null, bounds)).not.toThrow();
    expect(() => checkMeasured(3600, bounds)).not.toThrow();
    expect(() => checkMeasured(3600.1, bounds)).toThrow(
      expect.objectContaining({
        code: 'video_too_long',
        message: expect.stringContaining('more than 3600 s'),
      }),
    );
  });
});
