import { describe, expect, it } from 'vitest';
import { chooseTracks, sameLanguage, trackField, tracksField } from '../../../src/operations/video/tracks.ts';
import { aac, probeOf } from './sources.ts';

const tracks = [
  { ...aac, index: 1, channels: 0 },
  { ...aac, index: 2, language: 'eng' },
  { ...aac, index: 3, language: null },
  { ...aac, index: 5, language: 'ger' },
];
const probe = { ...probeOf(), audio: tracks };
const chosen = (wish: Parameters<typeof chooseTracks>[1]): number[] =>
  chooseTracks(probe, wish).map(({ index }) => index);

describe('tracks of sound', () => {
  it.each([
    ['first', [2]],
    ['all', [2, 3, 5]],
    [1, [2]],
    [3, [5]],
    ['en', [2]],
    ['eng', [2]],
    ['de', [5]],
    ['deu', [5]],
  ] as const)('%j are %j: what holds no sound is not counted', (wish, expected) => {
    expect(chosen(wish)).toEqual(expected);
  });

  it.each([4, 16, 'fr', 'xx'] as const)('%j is not there, which names those that are', (wish) => {
    expect(() => chosen(wish)).toThrow(
      expect.objectContaining({
        code: 'stream_missing',
        message: expect.stringContaining('1 (eng), 2 (language unknown), 3 (ger)'),
      }),
    );
  });

  it('are none where there is no sound: whether that is a fault is for the output to say', () => {
    expect(chooseTracks(probeOf({}, null), 'first')).toEqual([]);
    expect(chooseTracks(probeOf({}, null), 2)).toEqual([]);
  });

  it('are named by words of ours alone', () => {
    for (const good of ['first', 'en', 'deu', 1, '16']) expect(trackField.safeParse(good).success).toBe(true);
    for (const bad of ['', 'english', 'EN', 0, 17, 1.5, '-1', 'e', 'all of them']) {
      expect(trackField.safeParse(bad).success, `${bad}`).toBe(false);
    }
    expect(tracksField.safeParse('all').success).toBe(true);
  });
});

describe('languages', () => {
  it('are the same in two letters and in three, in both kinds of three', () => {
    expect(sameLanguage('fre', 'fra')).toBe(true);
    expect(sameLanguage('en', 'eng')).toBe(true);
    expect(sameLanguage('en', 'de')).toBe(false);
  });
});
