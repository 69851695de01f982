import { describe, expect, it } from 'vitest';
import { parsePlaylist, segmentName } from '../../../../src/operations/video/hls/parse-playlist.ts';

const HEAD = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-INDEPENDENT-SEGMENTS
`;
const MAP = '#EXT-X-MAP:URI="v720.init.mp4"\n';
const ONE = '#EXTINF:4.000000,\nv720.00000.m4s\n';
const TWO = '#EXTINF:2.5,\nv720.00001.m4s\n';

const zero = { uri: 'v720.00000.m4s', seconds: 4 };
const one = { uri: 'v720.00001.m4s', seconds: 2.5 };

describe("the encoder's playlist", () => {
  it.each([
    ['that has nothing yet', HEAD, { init: null, segments: [], ended: false }],
    ['with one segment', HEAD + MAP + ONE, { init: 'v720.init.mp4', segments: [zero], ended: false }],
    [
      'that is finished',
      `${HEAD}${MAP}${ONE}${TWO}#EXT-X-ENDLIST\n`,
      { init: 'v720.init.mp4', segments: [zero, one], ended: true },
    ],
    [
      'without its last line break',
      `${HEAD}${MAP}${ONE.trimEnd()}`,
      { init: 'v720.init.mp4', segments: [zero], ended: false },
    ],
  ])('%s', (_, text, expected) => {
    expect(parsePlaylist(text, 'v720')).toEqual(expected);
  });

  it.each([
    ['nothing', ''],
    ['something else', '<MPD/>'],
    ["another rendition's", HEAD + MAP.replace('720', '480') + ONE],
    ["another rendition's segment", HEAD + MAP + ONE.replace('v720', 'v480')],
    ['a gap', HEAD + MAP + TWO],
    ['a segment twice', HEAD + MAP + ONE + ONE],
    ['a file elsewhere', HEAD + MAP + ONE.replace('v720.0', '../v720.0')],
    ['an address', HEAD + MAP + ONE.replace('v720.0', 'http://10.0.0.1/v720.0')],
    ['a name without a duration', `${HEAD}${MAP}v720.00000.m4s\n`],
    ['two durations', `${HEAD}${MAP}#EXTINF:1,\n${ONE}`],
    ['a duration without a name', `${HEAD}${MAP}#EXTINF:1.0,\n`],
    ['half a duration', `${HEAD}${MAP}#EXTINF:1.`],
    ['half a name', `${HEAD}${MAP}#EXTINF:1.0,\nv720.000`],
    ['no number', `${HEAD}${MAP}#EXTINF:1e9,\nv720.00000.m4s`],
    ['a negative one', `${HEAD}${MAP}#EXTINF:-1.0,\nv720.00000.m4s`],
    ['no init', HEAD + ONE],
    ['two inits', HEAD + MAP + MAP + ONE],
    ['more behind the end', `${HEAD}${MAP}${ONE}#EXT-X-ENDLIST\n${TWO}`],
    ['a key', `${HEAD}#EXT-X-KEY:METHOD=AES-128,URI="k"\n${MAP}${ONE}`],
    ['a window that moved on', HEAD.replace('SEQUENCE:0', 'SEQUENCE:1') + MAP + ONE],
    ['line ends of another kind', (HEAD + MAP + ONE).replaceAll('\n', '\r\n')],
  ])('is refused: %s', (_, text) => {
    expect(() => parsePlaylist(text, 'v720')).toThrow(RangeError);
  });

  it('counts on past five digits', () => {
    expect([segmentName('a0', 7), segmentName('a0', 123_456)]).toEqual(['a0.00007.m4s', 'a0.123456.m4s']);
  });
});
