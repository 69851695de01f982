import { describe, expect, it } from 'vitest';
import { mainVideo } from '../../../src/operations/media-probe.ts';
import type { VideoStream } from '../../../src/operations/media-probe.ts';
import { h264, probeOf } from './sources.ts';

const main = (...streams: readonly Partial<VideoStream>[]): number | undefined =>
  mainVideo({ ...probeOf(), video: streams.map((stream, index) => ({ ...h264, index, ...stream })) })?.index;

describe('the video of a file', () => {
  it('is its first', () => {
    expect(main({}, {})).toBe(0);
    expect(main({ isDefault: false }, { isDefault: false })).toBe(0);
  });

  it('is the one that is marked as the default', () => {
    expect(main({ isDefault: false }, { isDefault: true, width: 640, height: 360 })).toBe(1);
  });

  it('is no cover and no thumbnail, though these come first and are marked', () => {
    expect(main({ attachedPicture: true }, {})).toBe(1);
    expect(main({ width: 160, height: 90 }, { isDefault: false })).toBe(1);
    expect(main({ width: 0, height: 0 }, {})).toBe(1);
    expect(main({ attachedPicture: true })).toBeUndefined();
    expect(main()).toBeUndefined();
  });

  it('may be small where it is the only one', () => {
    expect(main({ width: 16, height: 16 })).toBe(0);
  });
});
