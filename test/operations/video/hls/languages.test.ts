import { describe, expect, it } from 'vitest';
import { languageTag, trackNames } from '../../../../src/operations/video/hls/languages.ts';

describe('languages', () => {
  it.each([
    ['eng', 'en'],
    ['ger', 'de'],
    ['deu', 'de'],
    ['zho', 'zh'],
    ['pt', 'pt'],
    ['gsw', 'gsw'],
    ['und', null],
    ['zxx', null],
    ['ENG', null],
    ['en-US', null],
    ['e"', null],
    ['', null],
    [null, null],
  ])('%j is %j', (code, tag) => {
    expect(languageTag(code)).toBe(tag);
  });

  it('have names that are all different', () => {
    expect(trackNames(['eng', 'deu', 'en', null, 'qaa', 'eng'], 'Sound')).toEqual([
      'English',
      'German',
      'English 2',
      'Sound 4',
      'Sound 5',
      'English 3',
    ]);
    expect(trackNames([null], 'Subtitles')).toEqual(['Subtitles 1']);
  });
});
