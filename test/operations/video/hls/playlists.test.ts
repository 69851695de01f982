import { describe, expect, it } from 'vitest';
import { iframePlaylist, mediaPlaylist } from '../../../../src/operations/video/hls/playlists.ts';

const segments = [
  { uri: 'v720.00000.m4s', seconds: 4 },
  { uri: 'v720.00001.m4s', seconds: 4.004 },
  { uri: 'v720.00002.m4s', seconds: 1.5 },
];

describe('a media playlist', () => {
  it('that is finished', () => {
    expect(mediaPlaylist({ kind: 'vod', targetSeconds: 4, init: 'v720.init.mp4', segments })).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="v720.init.mp4"
#EXTINF:4.000000,
v720.00000.m4s
#EXTINF:4.004000,
v720.00001.m4s
#EXTINF:1.500000,
v720.00002.m4s
#EXT-X-ENDLIST
`);
  });

  it('that still grows: what was there stays there', () => {
    const event = (count: number): string =>
      mediaPlaylist({
        kind: 'event',
        targetSeconds: 4,
        init: 'v720.init.mp4',
        segments: segments.slice(0, count),
      });
    expect(event(0)).toMatch(/EVENT\n#EXT-X-MAP:URI="v720.init.mp4"\n$/);
    for (let count = 1; count <= 3; count++) expect(event(count).startsWith(event(count - 1))).toBe(true);
    expect(event(3)).not.toContain('ENDLIST');
  });

  it('of subtitles: one file, which is as long as it is', () => {
    expect(
      mediaPlaylist({
        kind: 'vod',
        targetSeconds: 4,
        init: null,
        segments: [{ uri: 's0.vtt', seconds: 93.6 }],
      }),
    ).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:94
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:93.600000,
s0.vtt
#EXT-X-ENDLIST
`);
  });

  it.each([
    [4, [4.4], 4],
    [4, [4.5], 5],
    [3.2, [2], 4],
    [0, [0.02], 1],
  ])('of target %d and segments of %j says %d', (targetSeconds, lengths, expected) => {
    const text = mediaPlaylist({
      kind: 'vod',
      targetSeconds,
      init: null,
      segments: lengths.map((seconds) => ({ uri: 'a.m4s', seconds })),
    });
    expect(text).toContain(`#EXT-X-TARGETDURATION:${expected}\n`);
  });

  it.each(['a b', '../v720.m4s', 'https://example.com/a', 'a\n#EXT-X-ENDLIST', '', '.hidden', 'a"b', 'ä'])(
    'takes plain names only: %j',
    (uri) => {
      const wanted = { kind: 'vod', targetSeconds: 4 } as const;
      expect(() => mediaPlaylist({ ...wanted, init: null, segments: [{ uri, seconds: 1 }] })).toThrow(
        RangeError,
      );
      expect(() => mediaPlaylist({ ...wanted, init: uri, segments: [] })).toThrow(RangeError);
    },
  );

  it.each([Number.NaN, Infinity, -1])('takes durations only: %d', (seconds) => {
    const wanted = { kind: 'vod', targetSeconds: 4, init: null, segments: [{ uri: 'a', seconds }] } as const;
    expect(() => mediaPlaylist(wanted)).toThrow(RangeError);
  });
});

describe('an I-frame playlist', () => {
  it('points at the first frame of each segment', () => {
    const frames = segments.map((segment, index) => ({ ...segment, offset: 76, length: 5000 + index }));
    expect(iframePlaylist({ kind: 'vod', targetSeconds: 4, init: 'v720.init.mp4', frames })).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-I-FRAMES-ONLY
#EXT-X-MAP:URI="v720.init.mp4"
#EXTINF:4.000000,
#EXT-X-BYTERANGE:5000@76
v720.00000.m4s
#EXTINF:4.004000,
#EXT-X-BYTERANGE:5001@76
v720.00001.m4s
#EXTINF:1.500000,
#EXT-X-BYTERANGE:5002@76
v720.00002.m4s
#EXT-X-ENDLIST
`);
  });

  it('takes whole bytes only', () => {
    const frames = [{ uri: 'a', seconds: 1, offset: 0.5, length: 10 }];
    expect(() => iframePlaylist({ kind: 'vod', targetSeconds: 4, init: 'i', frames })).toThrow(RangeError);
  });
});
