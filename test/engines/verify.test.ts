import { describe, expect, it } from 'vitest';
import { checkResult } from '../../src/engines/verify.ts';
import type { Expectation } from '../../src/operations/video-operation.ts';
import { probeOf } from '../operations/video/sources.ts';

const clip: Expectation = {
  kind: 'clip',
  video: { codec: 'h264', size: { width: 1920, height: 1080 } },
  audio: { codec: 'aac' },
  durationSeconds: 60,
  durationIsExact: true,
};
const lasting = (durationSeconds: number | null) =>
  probeOf({ durationSeconds }, { durationSeconds }, { durationSeconds });

describe('a result', () => {
  it('that is what it should be passes', () => {
    expect(checkResult(clip, probeOf(), null)).toEqual({
      fault: null,
      warnings: [],
      size: { width: 1920, height: 1080 },
      durationSeconds: 60,
    });
  });

  it.each([
    ['without a picture', probeOf(null), 'it has no picture'],
    ['of another codec', probeOf({ codec: 'hevc' }), 'its picture is hevc, not h264'],
    ['of another size', probeOf({ width: 1280 }), 'it is 1280×1080, not 1920×1080'],
    ['without sound', probeOf({}, null), 'it has no sound'],
    ['with other sound', probeOf({}, { codec: 'mp3' }), 'its sound is mp3'],
    ['without length', lasting(null), 'it has no length'],
    ['that is too short', lasting(57.9), 'it ends after 57.9 s of 60.0 s'],
    ['that is too long', lasting(63), 'it lasts 63.0 s, not 60.0 s'],
  ])('%s does not pass', (_, probe, fault) => {
    expect(checkResult(clip, probe, null).fault).toBe(fault);
  });

  it('may be off by 2 s, or 2 % of a long one, or half of a short one', () => {
    const ends = (expected: number, actual: number) =>
      checkResult({ ...clip, durationSeconds: expected }, lasting(actual), null).fault === null;
    expect(ends(60, 58.1)).toBe(true);
    expect(ends(1000, 981)).toBe(true);
    expect(ends(1000, 979)).toBe(false);
    expect(ends(1, 0.6)).toBe(true);
    expect(ends(1, 0.4)).toBe(false);
  });

  it('of a damaged source passes with a warning that says what is missing', () => {
    const { fault, warnings } = checkResult(clip, lasting(30), 'partial file');
    expect(fault).toBeNull();
    expect(warnings).toEqual(['The source is damaged and breaks off after 30.0 s of 60.0 s (partial file).']);
    expect(checkResult(clip, probeOf(), 'no frame!').warnings).toEqual([
      'The source has faults, which may show (no frame!).',
    ]);
    expect(checkResult(clip, probeOf({}, null), 'bad sound').warnings[0]).toMatch(/no sound could be read/);
    expect(checkResult(clip, probeOf(null), 'all lost').fault).toBe('it has no picture');
  });

  it('that is shorter than the container said passes with a warning: subtitles may have been longer', () => {
    const { fault, warnings } = checkResult({ ...clip, durationIsExact: false }, lasting(50), null);
    expect(fault).toBeNull();
    expect(warnings).toEqual(['The picture and sound of the source end after 50.0 s of 60.0 s.']);
  });

  it('that is a still has no length', () => {
    const still: Expectation = { ...clip, kind: 'still', audio: null, durationSeconds: null };
    expect(checkResult(still, probeOf({}, null), null)).toMatchObject({ fault: null, durationSeconds: null });
  });

  it('is judged as it is shown', () => {
    const turned = { ...clip, video: { codec: 'h264', size: { width: 1080, height: 1920 } } };
    expect(checkResult(turned, probeOf({ rotation: 90 }), null).fault).toBeNull();
  });
});
