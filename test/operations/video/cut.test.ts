import { describe, expect, it } from 'vitest';
import { videoOutputSchema, planOutput } from '../../../src/operations/video.ts';
import { checkStart, cutDecisions, wholeOf, windowOf } from '../../../src/operations/video/cut.ts';
import { aac, h264, probeOf, sourceOf } from './sources.ts';

/** Four seconds at 25 frames per second. */
const picture = { durationSeconds: 4, frames: 100, fps: 25, baseFps: 25 };
const clip = probeOf(picture, { durationSeconds: 4, frames: 189 });
const whole = wholeOf(clip, clip.video[0] ?? null, clip.audio);
const sound = wholeOf(clip, null, clip.audio);

describe('a cut', () => {
  it.each([
    [whole, 3.9, 3.9],
    [whole, 3.96, 3.96],
    [whole, 3.97, null],
    [whole, 4, null],
    [whole, 600, null],
    [sound, 3.97, 3.97],
    [sound, 3.995, null],
    [{ ...whole, seconds: null }, 600, 600],
  ] as const)('of %j that ends at %d ends at %d', (held, end, expected) => {
    expect(windowOf({ start: 1, end }, held)).toEqual({ start: 1, end: expected });
  });

  it('within a slide that stays for minutes is one', () => {
    const slides = wholeOf(probeOf(), { ...h264, fps: 0.01, baseFps: 0.01, durationSeconds: 200 }, []);
    expect(windowOf({ end: 150 }, slides)).toEqual({ start: 0, end: 150 });
  });

  it('ends with the longest of what is wanted, which may begin late', () => {
    const late = { ...aac, startSeconds: 2, durationSeconds: 3 };
    expect(wholeOf(clip, clip.video[0] ?? null, [late]).seconds).toBe(5);
    // Subtitles may be longer than what is seen and heard.
    expect(wholeOf({ ...clip, durationSeconds: 9 }, clip.video[0] ?? null, clip.audio).seconds).toBe(4);
    expect(wholeOf(clip, null, [{ ...aac, durationSeconds: null }]).seconds).toBe(60);
  });

  it('past the end of the source is said to be', () => {
    expect(cutDecisions({ end: 4.5 }, whole)).toEqual(['end is beyond the source, which is 4.0 s long']);
    expect(cutDecisions({ end: 4 }, whole)).toEqual([]);
    expect(cutDecisions({}, whole)).toEqual([]);
  });

  it.each([0, 1, 3.9, 3.96])('may begin at %d', (start) => {
    expect(() => checkStart({ start, end: null }, whole)).not.toThrow();
  });

  it.each([
    [3.97, 'start is 3.97 s, but the source is 4.00 s long, so less than a frame is left'],
    [3.99, 'less than a frame'],
    [4, 'start is 4 s, but the source is 4.0 s long'],
    [5, 'Start before its end'],
  ])('may not begin at %d', (start, message) => {
    for (const held of [whole, sound]) {
      expect(() => checkStart({ start, end: null }, held)).toThrow(
        expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining(message) }),
      );
    }
  });
});

describe('an output', () => {
  const plan = (output: object, source = sourceOf(clip)) =>
    planOutput(videoOutputSchema.parse(output), source);
  const copies = (output: object): boolean =>
    plan(output).pieces.every(({ streams }) => streams.every(({ options }) => options['c'] === 'copy'));

  it.each([{ type: 'transcode' }, { type: 'audio' }])('%j is copied where its end is no cut', (output) => {
    for (const end of [3.995, 4, 600]) expect(copies({ ...output, start: 0, end })).toBe(true);
    expect(copies({ ...output, end: 3.9 })).toBe(false);
    expect(plan({ ...output, end: 600 }).decisions).toContain(
      'end is beyond the source, which is 4.0 s long',
    );
  });

  it('of a stream ends with the source, and says that it was asked for more', () => {
    const { window, decisions } = plan({ type: 'hls', end: 600 });
    expect(window).toEqual({ start: 0, end: null });
    expect(decisions).toContain('end is beyond the source, which is 4.0 s long');
  });

  it('of sound whose length is a guess is cut where that was asked for', () => {
    const source = sourceOf(clip, { mediaType: 'audio/mpeg' });
    expect(plan({ type: 'audio', end: 5 }, source).window.end).toBe(5);
  });

  it.each(['transcode', 'hls'])(
    'of type %s may not begin after the picture, also where the sound is longer',
    (type) => {
      const source = sourceOf(probeOf(picture));
      expect(() => plan({ type, start: 5 }, source)).toThrow(
        expect.objectContaining({ code: 'invalid_request' }),
      );
    },
  );
});
