import { describe, expect, it } from 'vitest';
import { scrub } from '../../src/lib/scrub.ts';

describe('scrub', () => {
  it.each([
    ['/srv/data/store/sources/abc: Invalid data found', 'the file: Invalid data found'],
    ['file:/srv/data/abc.mp4: moov atom not found', 'the file: moov atom not found'],
    ["Error opening '/tmp/x y' now", "Error opening 'the file y' now"],
    ['Could not open file:///etc/passwd', 'Could not open the file'],
    ['C:\\Users\\jane\\clip.mp4: No such file', 'the file: No such file'],
    ['(/var/lib/x)', '(the file)'],
    ['[h264 @ 0x55ae103672c0] no frame!', '[h264] no frame!'],
    ['a\nb\tc\u0000d\u202ee', 'a b c d e'],
    ['24/1 fps, yuv420p/bt709, 1:1', '24/1 fps, yuv420p/bt709, 1:1'],
    ['  much   room  ', 'much room'],
  ])('%j becomes %j', (text, expected) => {
    expect(scrub(text)).toBe(expected);
  });

  it('hides the words it is told to, the longest first', () => {
    expect(scrub('0.mp4 and 10.mp4 failed', { hide: ['0.mp4', '10.mp4'] })).toBe(
      'the file and the file failed',
    );
  });

  it('bounds the length', () => {
    expect(scrub('x'.repeat(1000), { max: 20 })).toBe(`${'x'.repeat(19)}…`);
    expect(scrub('short', { max: 20 })).toBe('short');
  });

  it('takes a megabyte of slashes in its stride', () => {
    expect(scrub('/a'.repeat(500_000)).length).toBeLessThanOrEqual(300);
  });
});
