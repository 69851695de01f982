// From FFmpeg's segments to playlists and a manifest of ours, and back into FFmpeg, which plays them all.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readInit, readSegment } from '../../../../src/lib/mp4-boxes.ts';
import type { Segment } from '../../../../src/lib/mp4/fragments.ts';
import type { Track } from '../../../../src/lib/mp4/init.ts';
import { segmentRates } from '../../../../src/operations/video/hls/bit-rates.ts';
import type { Rates } from '../../../../src/operations/video/hls/bit-rates.ts';
import { manifest } from '../../../../src/operations/video/hls/manifest.ts';
import { masterPlaylist } from '../../../../src/operations/video/hls/master-playlist.ts';
import { parsePlaylist } from '../../../../src/operations/video/hls/parse-playlist.ts';
import type { ParsedPlaylist } from '../../../../src/operations/video/hls/parse-playlist.ts';
import { iframePlaylist, mediaPlaylist } from '../../../../src/operations/video/hls/playlists.ts';
import {
  countFrames,
  ffmpeg,
  READS_DASH,
  renditionFolder,
  renditionOutput,
  TEST_PICTURE,
  TEST_SOUND,
} from '../../../support/renditions.ts';
import type { RenditionFolder } from '../../../support/renditions.ts';

const TARGET = 1;

interface Read {
  readonly name: string;
  readonly track: Track;
  readonly parsed: ParsedPlaylist;
  readonly segments: readonly Segment[];
  readonly rates: Rates;
}

let folder: RenditionFolder;
let v90: Read;
let v60: Read;
let a0: Read;

function read(name: string): Read {
  const { init, segments: files, playlist } = folder.rendition(name);
  const [track] = readInit(init);
  if (track === undefined) throw new Error('no track');
  const segments = files.map((bytes) => readSegment(bytes, track));
  return {
    name,
    track,
    segments,
    parsed: parsePlaylist(playlist, name),
    rates: segmentRates(segments, TARGET),
  };
}

beforeAll(() => {
  folder = renditionFolder();
  const h264 = [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-g',
    '25',
    '-keyint_min',
    '25',
    '-sc_threshold',
    '0',
  ];
  ffmpeg(
    ...[...TEST_PICTURE, ...TEST_SOUND, '-filter_complex', '[0:v]split[a][b];[b]scale=106:60[c]'],
    ...['-map', '[a]', ...h264, '-pix_fmt', 'yuv420p', ...renditionOutput(folder, 'v90')],
    ...['-map', '[c]', ...h264, '-pix_fmt', 'yuv420p', ...renditionOutput(folder, 'v60')],
    ...['-map', '1:a', '-c:a', 'aac', '-ac', '2', ...renditionOutput(folder, 'a0')],
  );
  v90 = read('v90');
  v60 = read('v60');
  a0 = read('a0');
  for (const { name, parsed } of [v90, v60, a0]) {
    const { init, segments } = parsed;
    folder.write(`${name}.m3u8`, mediaPlaylist({ kind: 'vod', targetSeconds: TARGET, init, segments }));
  }
});
afterAll(() => folder[Symbol.dispose]());

const pictureOf = ({ name, track, rates }: Read) => {
  if (track.kind !== 'video') throw new Error('no picture');
  const { codec, width, height, range } = track;
  return { uri: `${name}.m3u8`, codec, size: { width, height }, range, rates, fps: 25 };
};

describe('renditions by FFmpeg', () => {
  it('begin together, once the edit lists are applied', () => {
    expect([v90, v60].map(({ segments }) => segments[0]?.presentationTime)).toEqual([0, 0]);
    // The lead-in of AAC, which players throw away.
    expect(a0.segments[0]?.presentationTime).toBe(-1024);
    expect(v90.parsed).toMatchObject({ init: 'v90.init.mp4', ended: true });
    expect(v90.parsed.segments).toEqual([
      { uri: 'v90.00000.m4s', seconds: 1 },
      { uri: 'v90.00001.m4s', seconds: 1 },
    ]);
  });

  it('play from a media playlist of ours, finished or not', () => {
    expect(countFrames(folder.join('v90.m3u8'))).toMatchObject([
      { codec_name: 'h264', nb_read_frames: '50' },
    ]);
    const { init, segments } = v60.parsed;
    const playlist = { kind: 'event', targetSeconds: TARGET, init, segments: segments.slice(0, 1) } as const;
    // FFmpeg would wait for the rest of it.
    folder.write('half.m3u8', `${mediaPlaylist(playlist)}#EXT-X-ENDLIST\n`);
    expect(countFrames(folder.join('half.m3u8'))).toMatchObject([{ nb_read_frames: '25', height: 60 }]);
  });

  it('play from an I-frame playlist', () => {
    const init = v90.parsed.init ?? '';
    // One at a time: FFmpeg reads them in one go and takes what follows for the rest of the first, unlike a player.
    for (const [index, { seconds, firstSample }] of v90.segments.entries()) {
      const frames = [{ uri: v90.parsed.segments[index]?.uri ?? '', seconds, ...firstSample }];
      folder.write('v90.iframes.m3u8', iframePlaylist({ kind: 'vod', targetSeconds: TARGET, init, frames }));
      expect(countFrames(folder.join('v90.iframes.m3u8'))).toMatchObject([
        { nb_read_frames: '1', height: 90 },
      ]);
    }
  });

  it('play from a master playlist', () => {
    if (a0.track.kind !== 'audio') throw new Error('no sound');
    const { codec, channels } = a0.track;
    const sound = { uri: 'a0.m3u8', codec, channels, name: 'English', language: 'eng', rates: a0.rates };
    const text = masterPlaylist({
      variants: [pictureOf(v60), pictureOf(v90)],
      audio: [sound],
      subtitles: [],
      iframes: [],
    });
    folder.write('master.m3u8', text);
    expect(text).toMatch(/CODECS="avc1\.64\w{4},mp4a\.40\.2",RESOLUTION=160x90,FRAME-RATE=25\.000/);
    const streams = countFrames(folder.join('master.m3u8'));
    const found = streams.map(({ codec_name: name, height }) => `${name} ${height ?? ''}`.trim()).toSorted();
    expect(found).toEqual(['aac', 'h264 60', 'h264 90']);
    expect(streams.filter(({ height }) => height !== undefined).map(({ nb_read_frames: n }) => n)).toEqual([
      '50',
      '50',
    ]);
  });

  it.runIf(READS_DASH)('play from a manifest', () => {
    if (a0.track.kind !== 'audio') throw new Error('no sound');
    const { codec, channels, sampleRate } = a0.track;
    const timelineOf = ({ track, segments }: Read) => ({ timescale: track.timescale, segments });
    const text = manifest({
      durationSeconds: 2,
      bufferSeconds: TARGET,
      video: [v90, v60].map((one) => ({
        ...pictureOf(one),
        id: one.name,
        bandwidth: one.rates.peak,
        timeline: timelineOf(one),
      })),
      audio: [
        {
          ...{ id: 'a0', codec, channels, sampleRate, name: 'English', language: 'eng' },
          bandwidth: a0.rates.peak,
          timeline: timelineOf(a0),
        },
      ],
      subtitles: [],
    });
    folder.write('manifest.mpd', text);
    expect(text).toContain('<S t="0" d="12800" r="1"/>');
    const path = folder.join('manifest.mpd');
    expect(countFrames(path, 'v:0')).toMatchObject([{ height: 90, nb_read_frames: '50' }]);
    expect(countFrames(path, 'v:1')).toMatchObject([{ height: 60, nb_read_frames: '50' }]);
    const frames = String(a0.segments.reduce((sum, { samples }) => sum + samples, 0));
    expect(countFrames(path, 'a')).toMatchObject([{ codec_name: 'aac', nb_read_frames: frames }]);
  });
});
