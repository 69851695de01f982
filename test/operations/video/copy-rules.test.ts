import { describe, expect, it } from 'vitest';
import { audioVerdict, copyOptions, videoVerdict } from '../../../src/operations/video/copy-rules.ts';
import type { CopyWish } from '../../../src/operations/video/copy-rules.ts';
import type { AudioStream, MediaProbe } from '../../../src/operations/media-probe.ts';
import { probeOf } from './sources.ts';

const wish: CopyWish = {
  format: 'mp4',
  codec: 'h264',
  encode: 'auto',
  final: { width: 1920, height: 1080 },
  quality: false,
  maxBitrate: null,
  fps: null,
  trimmed: false,
  turned: false,
  drawn: null,
  interlaced: false,
};
const webm: CopyWish = { ...wish, format: 'webm', codec: 'vp9' };

const first = (probe: MediaProbe): AudioStream => {
  const [audio] = probe.audio;
  if (audio === undefined) throw new Error('no sound');
  return audio;
};
const vp9 = { codec: 'vp9', profile: 'Profile 0', level: null };

describe('the picture', () => {
  it('is copied when it is web-ready H.264', () => {
    expect(videoVerdict(probeOf(), wish)).toEqual({
      copy: true,
      why: 'H.264 High, yuv420p, 5000 kb/s is web-ready',
    });
  });

  it('is copied when it is turned: MP4 keeps the rotation', () => {
    const turned = { ...wish, final: { width: 1080, height: 1920 } };
    expect(videoVerdict(probeOf({ rotation: 90 }), turned).copy).toBe(true);
  });

  it('is copied when it is VP9 for WebM', () => {
    expect(videoVerdict(probeOf(vp9, null, { container: 'matroska,webm' }), webm).copy).toBe(true);
  });

  it('is copied when it is HEVC or AV1 and that was asked for', () => {
    const hevc = probeOf({ codec: 'hevc', profile: 'Main', level: 120 });
    expect(videoVerdict(hevc, { ...wish, codec: 'hevc' }).why).toBe(
      'HEVC Main, yuv420p, 5000 kb/s is web-ready',
    );
    const av1 = probeOf({ codec: 'av1', profile: 'Main', level: 8 });
    expect(videoVerdict(av1, { ...wish, codec: 'av1' }).copy).toBe(true);
    expect(videoVerdict(av1, { ...webm, codec: 'av1' }).copy).toBe(true);
    expect(videoVerdict(av1, webm).why).toBe('it is AV1, not VP9');
  });

  it.each([
    ['hevc', { profile: 'Main 10', level: 120 }, 'its profile is Main 10'],
    ['hevc', { profile: 'Main', level: 180 }, 'its level is above 5.1'],
    [
      'hevc',
      { profile: 'Main', level: 120, pixelFormat: 'yuv420p10le' },
      'its pixels are yuv420p10le, not yuv420p',
    ],
    ['av1', { profile: 'High', level: 8 }, 'its profile is High'],
    // 31 is AV1's word for "no bounds".
    ['av1', { profile: 'Main', level: 31 }, 'its level is above 5.2'],
    ['av1', { profile: 'Main', level: null }, 'its level is above 5.2'],
  ] as const)('of %s with %j is encoded', (codec, video, why) => {
    expect(videoVerdict(probeOf({ codec, ...video }), { ...wish, codec })).toEqual({ copy: false, why });
  });

  it('loses the messages beside its frames when it is copied', () => {
    expect(copyOptions('h264')).toEqual({ c: 'copy', bsf: 'filter_units=remove_types=6' });
    expect(copyOptions('hevc')).toEqual({ c: 'copy', bsf: 'filter_units=remove_types=39|40', tag: 'hvc1' });
    expect(copyOptions('av1')).toEqual({ c: 'copy', bsf: 'filter_units=remove_types=5' });
    expect(copyOptions('vp9')).toEqual({ c: 'copy' });
  });

  it.each([
    ['another codec', { codec: 'hevc' }, {}, 'it is HEVC, not H.264'],
    ['10 bits', { pixelFormat: 'yuv420p10le' }, {}, 'its pixels are yuv420p10le, not yuv420p'],
    ['full range', { pixelFormat: 'yuvj420p' }, {}, 'its pixels are yuvj420p, not yuv420p'],
    ['a profile that browsers lack', { profile: 'High 4:2:2' }, {}, 'its profile is High 4:2:2'],
    ['a level that devices lack', { level: 62 }, {}, 'its level is above 5.2'],
    ['interlacing', {}, { interlaced: true }, 'it is interlaced'],
    ['HDR', { transfer: 'arib-std-b67' }, {}, 'its colours are HLG'],
    ['a turn', {}, { turned: true }, 'it is to be turned or mirrored'],
    ['a watermark', {}, { drawn: 'a watermark' }, 'a watermark can only be drawn on new frames'],
    ['another codec asked for', {}, { codec: 'hevc' }, 'it is H.264, not HEVC'],
    ['a high bitrate', { bitRate: 60_000_000 }, {}, 'its 60000 kb/s are above 15552 kb/s'],
    ['a bitrate above the cap asked for', {}, { maxBitrate: 3000 }, 'its 5000 kb/s are above 3000 kb/s'],
    ['a size to scale', {}, { final: { width: 1280, height: 720 } }, 'it is 1920×1080, wanted is 1280×720'],
    ['a rate to reduce', {}, { fps: 24 }, 'wanted are 24 frames per second'],
    ['a quality', {}, { quality: true }, 'a quality was asked for'],
    ['a cut', {}, { trimmed: true }, 'a cut between keyframes needs new frames'],
    ['the wish to encode', {}, { encode: 'always' }, 'encoding was asked for'],
    [
      'hidden frames',
      { frames: 2400 },
      {},
      'an edit list hides a part of it, which a copy would carry along',
    ],
  ] as const)('is encoded for %s', (_, video, asked, why) => {
    expect(videoVerdict(probeOf(video), { ...wish, ...asked })).toEqual({ copy: false, why });
  });

  it('is encoded when its pixels are not square', () => {
    const anamorphic = probeOf({ width: 720, height: 576, pixelAspect: 64 / 45, bitRate: 2_000_000 });
    expect(videoVerdict(anamorphic, { ...wish, final: { width: 1024, height: 576 } }).why).toBe(
      'its pixels are not square',
    );
  });

  it('is encoded from AVI, whose timestamps cannot be taken over', () => {
    expect(videoVerdict(probeOf({}, {}, { container: 'avi' }), wish).why).toMatch(/timestamps of avi/);
  });

  it('is encoded for WebM when it is turned', () => {
    const turned = probeOf({ ...vp9, rotation: 90 }, null, { container: 'matroska,webm' });
    expect(videoVerdict(turned, { ...webm, final: { width: 1080, height: 1920 } }).copy).toBe(false);
  });

  it('takes the bitrate of the file where the stream has none', () => {
    expect(videoVerdict(probeOf({ bitRate: null }), wish).copy).toBe(true);
    expect(videoVerdict(probeOf({ bitRate: null }, {}, { bitRate: 90_000_000 }), wish).copy).toBe(false);
    expect(videoVerdict(probeOf({ bitRate: null }, {}, { bitRate: null }), wish).why).toBe(
      'its bitrate is not known',
    );
  });
});

describe('the sound', () => {
  it('is copied when it is web-ready AAC', () => {
    expect(audioVerdict(probeOf(), first(probeOf()), wish)).toEqual({
      copy: true,
      why: 'AAC 128 kb/s, stereo is web-ready',
    });
  });

  it('is copied when it is Opus for WebM', () => {
    const opus = probeOf({}, { codec: 'opus', profile: null }, { container: 'matroska,webm' });
    expect(audioVerdict(opus, first(opus), webm).copy).toBe(true);
  });

  it.each([
    ['another codec', { codec: 'mp3' }, 'it is MP3, not AAC'],
    ['more than two channels', { channels: 6 }, '6 channels become stereo'],
    ['a profile that browsers lack', { profile: 'LTP' }, 'its profile is LTP'],
    ['a high bitrate', { bitRate: 640_000 }, 'its 640 kb/s are above 320 kb/s'],
    ['a high sample rate', { sampleRate: 96_000 }, 'its sample rate is above 48 kHz'],
    ['hidden samples', { frames: 4000 }, 'an edit list hides a part of it, which a copy would carry along'],
  ])('is encoded for %s', (_, audio, why) => {
    expect(audioVerdict(probeOf({}, audio), first(probeOf({}, audio)), wish)).toEqual({ copy: false, why });
  });

  it('is decided apart from the picture', () => {
    const probe = probeOf({ codec: 'hevc' });
    expect(videoVerdict(probe, wish).copy).toBe(false);
    expect(audioVerdict(probe, first(probe), wish).copy).toBe(true);
  });
});
