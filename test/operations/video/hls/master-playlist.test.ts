import { describe, expect, it } from 'vitest';
import { masterPlaylist } from '../../../../src/operations/video/hls/master-playlist.ts';
import type { AudioRendition, Variant } from '../../../../src/operations/video/hls/master-playlist.ts';

const variant = (height: number, average: number, more: Partial<Variant> = {}): Variant => ({
  uri: `v${height}.m3u8`,
  codec: 'avc1.64001f',
  size: { width: Math.round((height * 8) / 9) * 2, height },
  range: 'SDR',
  rates: { peak: average * 1.25, average },
  fps: 25,
  ...more,
});

const sound = (
  name: string,
  language: string | null,
  more: Partial<AudioRendition> = {},
): AudioRendition => ({
  uri: 'a0.m3u8',
  codec: 'mp4a.40.2',
  name,
  language,
  channels: 2,
  rates: { peak: 140_000, average: 128_000 },
  ...more,
});

const none = { audio: [], subtitles: [], iframes: [] };

const first = (text: string): string | undefined =>
  text.split('\n').find((line) => /^v\d+\.m3u8$/.test(line));

describe('a master playlist', () => {
  it('of everything', () => {
    expect(
      masterPlaylist({
        variants: [
          variant(360, 360_000, { codec: 'avc1.64001e' }),
          variant(1080, 4_400_000, { codec: 'avc1.640028', fps: 59.94006 }),
          variant(540, 1_900_000),
        ],
        audio: [
          sound('English', 'eng'),
          sound('German', 'ger', { uri: 'a1.m3u8', channels: 1, rates: { peak: 72_000.4, average: 64_000 } }),
        ],
        subtitles: [{ uri: 's0.m3u8', name: 'French', language: 'fra' }],
        iframes: [
          {
            uri: 'v540.iframes.m3u8',
            codec: 'avc1.64001f',
            size: { width: 960, height: 540 },
            range: 'SDR',
            rates: { peak: 250_000.7, average: 200_000 },
          },
        ],
      }),
    ).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:7',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a0.m3u8"',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="German",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="1",URI="a1.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="French",LANGUAGE="fr",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="s0.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=2515000,AVERAGE-BANDWIDTH=2028000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=960x540,FRAME-RATE=25.000,VIDEO-RANGE=SDR,AUDIO="sound",SUBTITLES="subtitles"',
        'v540.m3u8',
        '#EXT-X-STREAM-INF:BANDWIDTH=5640000,AVERAGE-BANDWIDTH=4528000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=59.940,VIDEO-RANGE=SDR,AUDIO="sound",SUBTITLES="subtitles"',
        'v1080.m3u8',
        '#EXT-X-STREAM-INF:BANDWIDTH=590000,AVERAGE-BANDWIDTH=488000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=25.000,VIDEO-RANGE=SDR,AUDIO="sound",SUBTITLES="subtitles"',
        'v360.m3u8',
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=250001,AVERAGE-BANDWIDTH=200000,CODECS="avc1.64001f",RESOLUTION=960x540,VIDEO-RANGE=SDR,URI="v540.iframes.m3u8"',
        '',
      ].join('\n'),
    );
  });

  it('of a picture without sound, and of which little is known', () => {
    const variants = [variant(180, 100_000, { range: null, fps: null })];
    expect(masterPlaylist({ ...none, variants })).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=125000,AVERAGE-BANDWIDTH=100000,CODECS="avc1.64001f",RESOLUTION=320x180
v180.m3u8
`);
  });

  it('of sound alone', () => {
    const audio = [sound('English', 'eng')];
    expect(masterPlaylist({ ...none, variants: [], audio })).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2"
a0.m3u8
`);
    const two = masterPlaylist({
      ...none,
      variants: [],
      audio: [...audio, sound('German', 'deu', { uri: 'a1.m3u8' })],
    });
    expect(two).toContain(
      '#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2",AUDIO="sound"\na0.m3u8\n',
    );
    expect(two.match(/TYPE=AUDIO/g)).toHaveLength(2);
  });

  it('of sounds in two codecs: the dearest counts, and all are named', () => {
    const audio = [
      sound('English', 'eng', { codec: 'mp4a.40.2', rates: { peak: 100_000, average: 90_000 } }),
      sound('German', 'deu', { codec: 'Opus', rates: { peak: 90_000, average: 95_000 } }),
    ];
    expect(masterPlaylist({ ...none, variants: [variant(360, 400_000)], audio })).toContain(
      'BANDWIDTH=600000,AVERAGE-BANDWIDTH=495000,CODECS="avc1.64001f,mp4a.40.2,Opus"',
    );
  });

  it.each([
    [[4500, 3000, 1460, 370], 1460],
    [[4500, 2500, 1400, 370], 2500],
    [[370, 1460], 1460],
    [[9000, 6000], 6000],
    [[150], 150],
  ])('of %j kb/s begins with %d, and the others follow from the best down', (kilobits, expected) => {
    const variants = kilobits.map((average) => variant(average, average * 1000));
    const lines = masterPlaylist({ ...none, variants })
      .split('\n')
      .filter((line) => line.startsWith('v'));
    const rest = kilobits.filter((average) => average !== expected).toSorted((a, b) => b - a);
    expect(lines).toEqual([expected, ...rest].map((average) => `v${average}.m3u8`));
  });

  it('leaves what it was given as it was', () => {
    const variants = Object.freeze([variant(360, 400_000), variant(540, 2_000_000)]);
    expect(first(masterPlaylist({ ...none, variants }))).toBe('v540.m3u8');
    expect(variants.map(({ uri }) => uri)).toEqual(['v360.m3u8', 'v540.m3u8']);
  });

  it('lets nothing break out of its quotes or its line', () => {
    const variants = [variant(360, 400_000)];
    for (const name of ['a"b', 'a\nb', 'a\rb', 'a\u0085b', 'a\u2028b', 'a\0b']) {
      expect(() => masterPlaylist({ ...none, variants, audio: [sound(name, null)] })).toThrow(RangeError);
    }
    expect(masterPlaylist({ ...none, variants, audio: [sound('Norwegian Bokmål', 'nob')] })).toContain(
      'NAME="Norwegian Bokmål",LANGUAGE="nb"',
    );
    expect(() => masterPlaylist({ ...none, variants: [variant(360, 1, { uri: 'a,b' })] })).toThrow(
      RangeError,
    );
    expect(() => masterPlaylist({ ...none, variants: [variant(360, 1, { codec: 'a"' })] })).toThrow(
      RangeError,
    );
    expect(() => masterPlaylist({ ...none, variants: [] })).toThrow(RangeError);
  });
});
