import { describe, expect, it } from 'vitest';
import { tidyWebVtt } from '../../src/lib/webvtt.ts';

const vtt = (...cues: string[]): string => ['WEBVTT\n', ...cues.map((cue) => `${cue}\n`)].join('\n');

describe('WebVTT', () => {
  it('that is in order stays as it is', () => {
    const text = vtt(
      '00:01.000 --> 00:02.500\nHELLO <i>WORLD</i>',
      '59:59.999 --> 01:00:00.000 line:0 align:left\ntwo\nlines',
      '100:00:00.000 --> 1193:02:47.295\nlate',
    );
    expect(tidyWebVtt(text)).toBe(text);
    expect(tidyWebVtt('WEBVTT\n')).toBe('WEBVTT\n');
    expect(tidyWebVtt('')).toBe('WEBVTT\n');
  });

  it('is cut: shifted, clipped at both ends, and nothing else is kept', () => {
    const text = vtt(
      '00:00.000 --> 00:01.000\nbefore',
      '00:00.500 --> 00:02.250\nreaches in',
      '00:03.000 --> 00:04.000\nwithin',
      '00:04.900 --> 00:07.000\nreaches out',
      '00:05.000 --> 00:06.000\nafter',
    );
    expect(tidyWebVtt(text, { start: 1, end: 5 })).toBe(
      vtt(
        '00:00.000 --> 00:01.250\nreaches in',
        '00:02.000 --> 00:03.000\nwithin',
        '00:03.900 --> 00:04.000\nreaches out',
      ),
    );
    expect(tidyWebVtt(text, { start: 4.95, end: null })).toBe(
      vtt('00:00.000 --> 00:02.050\nreaches out', '00:00.050 --> 00:01.050\nafter'),
    );
    expect(tidyWebVtt(vtt('01:00:01.000 --> 01:00:02.000\nx'), { start: 3599, end: null })).toBe(
      vtt('00:02.000 --> 00:03.000\nx'),
    );
  });

  it.each([
    ['3 < 4', '3 &lt; 4'],
    ['a & b', 'a &amp; b'],
    ['AT&T and &amp; &lt; &#39; &#x2764; &nbsp;', 'AT&amp;T and &amp; &lt; &#39; &#x2764; &nbsp;'],
    ['<b>x</b><c.red.big>y</c><v Tom & Ann>z', '<b>x</b><c.red.big>y</c><v Tom &amp; Ann>z'],
    ['<00:01.000>x<01:00:01.000>y', '<00:01.000>x<01:00:01.000>y'],
    [
      '<ruby>x<rt>y</rt></ruby><lang en>x</lang><u>x</u>',
      '<ruby>x<rt>y</rt></ruby><lang en>x</lang><u>x</u>',
    ],
    ['<script>x</script><br><bold>', '&lt;script>x&lt;/script>&lt;br>&lt;bold>'],
    ['<i and <b', '&lt;i and &lt;b'],
    ['<<i>x', '&lt;<i>x'],
    ['a --> b', 'a --&gt; b'],
  ])('%s is written %s', (text, expected) => {
    expect(tidyWebVtt(vtt(`00:00.000 --> 00:01.000\n${text}`))).toBe(
      vtt(`00:00.000 --> 00:01.000\n${expected}`),
    );
  });

  it('with an empty line within a cue keeps what comes after it', () => {
    expect(tidyWebVtt('WEBVTT\r\n\r\n00:00.000 --> 00:01.000\r\none\r\n\r\ntwo\r\n')).toBe(
      vtt('00:00.000 --> 00:01.000\none\ntwo'),
    );
  });

  it.each(['<c.a', '<v ', '<b.', '&a', '<0', '-->', '\n', ' ', '00:00.000 -->', '<'])(
    'of a million characters of %j is read at once',
    (piece) => {
      const text = `00:00.000 --> 00:01.000\n<v ${piece.repeat(1_000_000 / piece.length)}`;
      // Quadratic, it would take minutes: the runner's own limit ends it.
      expect(tidyWebVtt(text)).toMatch(/^WEBVTT\n/);
    },
  );
});
