import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Folder } from './video-fixtures.ts';
import { engine, folder, look, produce } from './video-fixtures.ts';

const samples = resolve(import.meta.dirname, '../..', process.env['MEDIA_SAMPLES'] ?? '../shared/media');
const sample = (name: string): string => join(samples, name);

const videos = engine();
let place: Folder;

beforeAll(async () => {
  place = await folder();
});
afterAll(async () => {
  await videos.close();
  await place[Symbol.asyncDispose]();
});

const small = { video: { type: 'transcode', height: 144, effort: 'fast' } };
const whole = { video: { type: 'transcode', effort: 'fast' } };

describe.skipIf(!existsSync(samples))('sample files', () => {
  it('turned by the phone: a copy keeps it, an encode applies it', async () => {
    const path = sample('clips/phone-rotated-270.mp4');
    const { files, facts } = await produce(videos, place, path, {
      copy: { type: 'transcode' },
      small: { type: 'transcode', height: 320, end: 1, effort: 'fast' },
    });
    expect(facts).toMatchObject({ width: 720, height: 1280 });
    expect(files['copy']).toMatchObject({ width: 720, height: 1280 });
    expect(files['copy']?.decisions[0]).toMatch(/^picture copied/);
    expect(files['small']).toMatchObject({ width: 180, height: 320 });
  });

  it.each([
    ['clips/bbb-1080p-4s.mkv', 'video/x-matroska', [256, 144], 4],
    ['clips/bbb-480p-4s-mpeg2.ts', 'video/mp2t', [256, 144], 4],
    ['clips/bbb-240p-3s.gif', 'image/gif', [236, 134], 3],
    ['clips/hlg10.mp4', 'video/mp4', [256, 144], 0.3],
    ['clips/hdr10-av1.mp4', 'video/mp4', [82, 144], 1],
  ] as const)('%s becomes small and plays everywhere', async (name, mediaType, [width, height], seconds) => {
    const outputs = seconds === 1 ? { video: { ...small.video, end: 1 } } : small;
    const { files, warnings } = await produce(videos, place, sample(name), outputs, { mediaType });
    const video = files['video'];
    expect(warnings).toEqual([]);
    expect(video).toMatchObject({ width, height });
    expect(video?.durationSeconds).toBeCloseTo(seconds, 0);
    const { streams } = await look(video?.path ?? '');
    expect(streams[0]).toMatchObject({ codec_name: 'h264', pix_fmt: 'yuv420p', sample_aspect_ratio: '1:1' });
    expect(streams[0]?.['color_transfer'] ?? 'bt709').not.toMatch(/arib-std-b67|smpte2084/);
  });

  it('with six channels: the picture is copied, the sound becomes stereo', async () => {
    const path = sample('clips/bbb-480p-30s-h264-aac51.mp4');
    const { files } = await produce(videos, place, path, whole);
    expect(files['video']?.decisions[0]).toMatch(/^picture copied/);
    expect(files['video']?.decisions[1]).toMatch(/^sound encoded.*6 channels become stereo/);
    expect((await look(files['video']?.path ?? '')).streams[1]).toMatchObject({ channels: 2 });
  });

  it('with two videos and subtitles: the first video and its sound, nothing else', async () => {
    const path = sample('clips/nasa-multistream-16s.mp4');
    const { files, warnings } = await produce(videos, place, path, whole);
    expect(warnings).toEqual([]);
    expect(files['video']).toMatchObject({ width: 320, height: 180 });
    expect((await look(files['video']?.path ?? '')).streams).toHaveLength(2);
  });

  it('with five seconds hidden by an edit list: they are not published', async () => {
    const path = sample('clips/bbb-480p-6s-rotate90.mov');
    const { files } = await produce(videos, place, path, small, { mediaType: 'video/quicktime' });
    expect(files['video']).toMatchObject({ width: 80, height: 144 });
    const copying = { video: { type: 'transcode', mute: true, maxBitrate: 2000, effort: 'fast' } };
    const asked = await produce(videos, place, path, copying, { mediaType: 'video/quicktime' });
    expect(asked.files['video']?.decisions[0]).toMatch(/^picture encoded: an edit list hides/);
  });

  it('cut off in the middle: what is there, and a warning', async () => {
    const { files, warnings } = await produce(videos, place, sample('hostile/mp4_trunc_50.mp4'), whole);
    expect(files['video']?.durationSeconds).toBeCloseTo(3.3, 0);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^The source is damaged and breaks off after 3\.\d s of 6\.2 s/);
  });

  it('with the place of the recording: gone', async () => {
    const { files } = await produce(videos, place, sample('hostile/privacy_gps_location.mp4'), whole);
    const { format } = await look(files['video']?.path ?? '');
    expect(JSON.stringify(format.tags)).not.toMatch(/location|Jane|serial/);
  });

  it.each([
    ['framedup_2frames_20h_apart.mkv', 'video/x-matroska', 'video_too_long'],
    ['gif_65535x65535_2frames.gif', 'image/gif', 'video_too_complex'],
    ['ffconcat_rel.mp4', 'video/mp4', 'video_unreadable'],
    ['hls_file_abs.mp4', 'video/mp4', 'video_unreadable'],
    ['hls_http.mp4', 'video/mp4', 'video_unreadable'],
  ])('%s is refused', async (name, mediaType, code) => {
    await expect(
      produce(videos, place, sample(`hostile/${name}`), small, { mediaType }),
    ).rejects.toMatchObject({ code });
  });
});
