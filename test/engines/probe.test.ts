import { describe, expect, it } from 'vitest';
import type { ChildEnd } from '../../src/engines/child.ts';
import type { FfmpegLog } from '../../src/engines/ffmpeg-log.ts';
import { parseProbe, probe, probeArguments } from '../../src/engines/probe.ts';

const request = { path: '/srv/source', mediaType: 'video/mp4', maxPixels: 1000 };

const told = {
  streams: [
    {
      index: 0,
      codec_type: 'video',
      codec_name: 'h264',
      profile: 'High',
      level: 41,
      pix_fmt: 'yuv420p',
      width: 1280,
      height: 720,
      sample_aspect_ratio: '1:1',
      avg_frame_rate: '30000/1001',
      r_frame_rate: '30/1',
      nb_frames: '149',
      duration: '4.971633',
      bit_rate: '3950120',
      field_order: 'progressive',
      color_transfer: 'bt709',
      disposition: { attached_pic: 0 },
      side_data_list: [{}, { rotation: -90 }],
    },
    {
      index: 1,
      codec_type: 'audio',
      codec_name: 'aac',
      profile: 'LC',
      channels: 2,
      sample_rate: '44100',
      duration: '4.9',
      nb_frames: '214',
      bit_rate: '129162',
    },
    { index: 2, codec_type: 'data' },
    {
      index: 3,
      codec_type: 'video',
      codec_name: 'mjpeg',
      width: 600,
      height: 600,
      disposition: { attached_pic: 1 },
    },
  ],
  format: { format_name: 'mov,mp4,m4a', duration: '4.972000', bit_rate: '4088020', nb_streams: 4 },
};

const parse = (document: unknown) => parseProbe(JSON.stringify(document));
const withVideo = (video: object) =>
  parse({ ...told, streams: [{ ...told.streams[0], ...video }] })?.video[0];

describe("ffprobe's answer", () => {
  it('becomes typed and checked', () => {
    const result = parse(told);
    expect(result).toMatchObject({
      container: 'mov,mp4,m4a',
      durationSeconds: 4.972,
      bitRate: 4_088_020,
      streams: 4,
    });
    expect(result?.video).toHaveLength(2);
    expect(result?.video[0]).toMatchObject({
      index: 0,
      codec: 'h264',
      level: 41,
      width: 1280,
      pixelAspect: 1,
      rotation: 270,
      frames: 149,
      interlaced: false,
      attachedPicture: false,
    });
    expect(result?.video[0]?.fps).toBeCloseTo(29.97);
    expect(result?.video[1]?.attachedPicture).toBe(true);
    expect(result?.audio[0]).toMatchObject({ index: 1, channels: 2, sampleRate: 44_100, bitRate: 129_162 });
  });

  it.each([
    [
      'N/A',
      { duration: 'N/A', bit_rate: 'N/A', nb_frames: 'N/A' },
      { durationSeconds: null, bitRate: null, frames: null },
    ],
    ['nonsense', { width: -5, avg_frame_rate: 'x', level: 'y' }, { width: 0, fps: null, level: null }],
    [
      'zeros',
      { avg_frame_rate: '0/0', nb_frames: '0', duration: '0.000' },
      { fps: null, frames: null, durationSeconds: null },
    ],
    [
      'absurd numbers',
      { duration: '1e300', width: 1e12, avg_frame_rate: '1/0' },
      { durationSeconds: null, width: 0, fps: null },
    ],
    ['unknown', { pix_fmt: 'unknown', profile: 'unknown' }, { pixelFormat: null, profile: null }],
    ['strange text', { codec_name: "x';rm -rf" }, { codec: 'unknown' }],
    ['an older way to say rotation', { side_data_list: [], tags: { rotate: '90' } }, { rotation: 90 }],
    ['a rotation that is none', { side_data_list: [{ rotation: 'N/A' }] }, { rotation: 0 }],
    ['no pixel aspect', { sample_aspect_ratio: 'N/A' }, { pixelAspect: 1 }],
    ['a pixel aspect', { sample_aspect_ratio: '64:45' }, { pixelAspect: 64 / 45 }],
    ['fields', { field_order: 'tb' }, { interlaced: true }],
    [
      'things that are not there',
      { disposition: null, side_data_list: 7, tags: 'x' },
      { attachedPicture: false },
    ],
  ])('may hold %s', (_, video, expected) => {
    expect(withVideo(video)).toMatchObject(expected);
  });

  it.each(['', '{', 'null', '{}', '{"format":{}}', '{"format":{"format_name":"a;b"}}', '[]'])(
    'that is %j is none',
    (text) => {
      expect(parseProbe(text)).toBeNull();
    },
  );
});

describe('the question', () => {
  it('opens the file as safely as FFmpeg does', () => {
    const args = probeArguments(request).join(' ');
    expect(args).toContain('-protocol_whitelist file -format_whitelist mov -codec_whitelist h264,');
    expect(args).toContain('-max_streams 16 -max_pixels 1000 -f mov');
    expect(args).toMatch(/-i file:\/srv\/source$/);
  });
});

describe('a failed probe', () => {
  const ended = (end: Partial<ChildEnd>, stderr: string) =>
    probe(request, async (_args, log: FfmpegLog) => {
      log.feed(stderr);
      log.end();
      return { code: 1, signal: null, stopped: null, stdout: '', ...end };
    });

  it.each([
    ['video_unreadable', {}, '[mov @ 0x5] [error] moov atom not found\n', 'moov atom not found'],
    ['video_unreadable', { stopped: 'timeout' }, '', 'too long'],
    ['video_unreadable', { code: 0, stdout: 'nothing' }, '', 'cannot be read'],
    [
      'video_too_complex',
      {},
      '[error] Number of streams exceeds max_streams parameter (16), see\n',
      '16 streams',
    ],
    ['media_type_unsupported', {}, "[error] Codec (cinepak) not on whitelist 'h264'\n", 'cinepak'],
    [
      'video_too_complex',
      {
        code: 0,
        stdout: '{"streams":[{"index":0,"codec_type":"video","width":0}],"format":{"format_name":"mov"}}',
      },
      '[error] Picture size 9x9 exceeds specified max pixel count 1000\n',
      '1000 pixels',
    ],
  ] as const)('is %s', async (code, end, stderr, naming) => {
    await expect(ended(end, stderr)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(naming),
    });
  });
});
