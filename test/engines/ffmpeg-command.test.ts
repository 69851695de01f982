import { describe, expect, it } from 'vitest';
import { ffmpegArguments } from '../../src/engines/ffmpeg-command.ts';
import type { Run } from '../../src/operations/video/run.ts';
import type { Piece } from '../../src/operations/video-operation.ts';

const piece: Piece = {
  file: '0.mp4',
  mediaType: 'video/mp4',
  streams: [],
  muxer: [],
  expects: { kind: 'data', video: null, audio: null, durationSeconds: null, durationIsExact: false },
  maxBytes: 1000,
};
const run: Run = {
  inputs: [{ from: 'source', seek: 0, seconds: null, options: [] }],
  graph: '[0:0]scale=2:2[v0]',
  outputs: [
    { name: 'client-name', file: '0.mp4', piece, options: ['-map', '[v0]', '-f', 'mp4'] },
    { name: 'other', file: '1.jpg', piece, options: ['-map', '0:1', 'two words'] },
  ],
  expectedSeconds: 1,
  weight: 1,
  fallback: null,
};
const place = {
  source: { path: '/data/-i; rm %d', mediaType: 'video/mp4' },
  assets: new Map(),
  scratch: '/scratch',
  maxPixels: 1000,
  maxSeconds: 600,
};

describe('the argument list', () => {
  it('is silent, safe at the input, and in order', () => {
    const args = ffmpegArguments(run, place);
    const text = args.join(' ');
    expect(text).toMatch(
      /^-nostdin -hide_banner -y -nostats -loglevel level\+warning -progress pipe:3 -stats_period 0\.5 /,
    );
    const input = args.indexOf('-i');
    const before = args.slice(0, input).join(' ');
    expect(before).toContain('-protocol_whitelist file -format_whitelist mov -codec_whitelist h264,');
    expect(before).toMatch(/-max_streams 16 -max_pixels 1000 -f mov -t 600\.000$/);
    expect(args[input + 1]).toBe('file:/data/-i; rm %d');
    expect(args.slice(args.indexOf('-filter_complex'))).toEqual([
      ...['-filter_complex', '[0:0]scale=2:2[v0]'],
      ...['-map', '[v0]', '-f', 'mp4', 'file:/scratch/0.mp4'],
      ...['-map', '0:1', 'two words', 'file:/scratch/1.jpg'],
    ]);
    expect(text).not.toContain('client-name');
  });

  it('seeks before the input, and reads no more than it may', () => {
    const cut = ffmpegArguments(
      { ...run, inputs: [{ from: 'source', seek: 10.5, seconds: 2, options: [] }] },
      place,
    );
    expect(cut.slice(cut.indexOf('-ss'), cut.indexOf('-i')).join(' ')).toBe('-ss 10.500 -t 2.000');
    const all = ffmpegArguments(
      { ...run, graph: null, inputs: [{ from: 'source', seek: 0, seconds: 7200, options: [] }] },
      place,
    );
    expect(all[all.indexOf('-t') + 1]).toBe('600.000');
    expect(all).not.toContain('-filter_complex');
    expect(all).not.toContain('-ss');
  });

  it('names no decoder of a format that opens other files', () => {
    const list =
      ffmpegArguments(run, place)[ffmpegArguments(run, place).indexOf('-codec_whitelist') + 1] ?? '';
    expect(list.split(',').length).toBeGreaterThan(50);
    expect(list).not.toMatch(/\s|,,|^,|,$/);
    expect(list.split(',')).not.toContain('librsvg');
  });

  it.each(['image/svg+xml', 'application/vnd.apple.mpegurl', 'text/plain', 'constructor', ''])(
    'refuses to open %j',
    (mediaType) => {
      expect(() => ffmpegArguments(run, { ...place, source: { path: '/data/x', mediaType } })).toThrow(
        expect.objectContaining({ code: 'media_type_unsupported' }),
      );
    },
  );

  it('refuses a path that is not absolute', () => {
    expect(() =>
      ffmpegArguments(run, { ...place, source: { path: 'concat:a|b', mediaType: 'video/mp4' } }),
    ).toThrow(/absolute/);
  });
});
