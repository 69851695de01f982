import { describe, expect, it } from 'vitest';
import { checkSource } from '../../src/engines/source-bounds.ts';
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
    ['video_too_complex', probeOf({ fps: 240 }), '240 frames per second'],
    ['video_too_complex', probeOf({}, { channels: 9 }), '9 channels'],
  ])('is refused as %s', (code, probe, naming) => {
    expect(() => checkSource(probe, bounds)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(naming) }),
    );
  });
});
