import { describe, expect, it } from 'vitest';
import { concatList } from '../../../src/operations/video/concat-list.ts';

describe('the list for the concat demuxer', () => {
  it('tells lengths whose sum is right at every file', () => {
    const each = (10 * 1001) / 30_000;
    const text = concatList(['/a/1.mp4', "/it's/2.mp4", '/a/3.mp4'], [0, each, 2 * each, 3 * each]);
    expect(text.split('\n')).toEqual([
      'ffconcat version 1.0',
      "file 'file:/a/1.mp4'",
      'duration 0.333667',
      String.raw`file 'file:/it'\''s/2.mp4'`,
      'duration 0.333666',
      "file 'file:/a/3.mp4'",
      'duration 0.333667',
      '',
    ]);
  });

  it('cannot hold a path that breaks its lines', () => {
    expect(() => concatList(['/a\nfile /etc/passwd'], [0, 1])).toThrow('line break');
  });
});
