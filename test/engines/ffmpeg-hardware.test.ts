// No machine of ours has such hardware: what would be asked of it is held, and that nothing is found where nothing is.

import { describe, expect, it } from 'vitest';
import { findHardware, trial } from '../../src/engines/ffmpeg-hardware.ts';
import { FfmpegTools } from '../../src/engines/ffmpeg-tools.ts';
import { ffmpeg } from './video-fixtures.ts';

const LIST = ` V..... = Video
 V....D h264_nvenc           NVIDIA NVENC H.264 encoder (codec h264)
 V....D h264_vaapi           H.264/AVC (VAAPI) (codec h264)
 V....D libx264              libx264 H.264 (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
`;

describe('hardware that is looked for', () => {
  it('is what FFmpeg lists and what encodes a frame (by a made-up FFmpeg)', async () => {
    const tried: string[] = [];
    const works = await findHardware(
      async () => LIST,
      async (args) => {
        tried.push(args[args.indexOf('-c:v') + 1] ?? '');
        return args.includes('h264_vaapi');
      },
    );
    expect(tried).toEqual(['h264_vaapi', 'h264_nvenc']);
    expect([...works]).toEqual(['h264_vaapi']);
  });

  it('is none where FFmpeg cannot be asked', async () => {
    const works = await findHardware(
      async () => null,
      () => Promise.reject(new Error('nothing to try')),
    );
    expect(works.size).toBe(0);
  });

  it('is tried with frames on the card for VAAPI, with plain ones for the others (arguments only)', () => {
    expect(trial('vaapi', 'hevc_vaapi').join(' ')).toBe(
      '-nostdin -hide_banner -loglevel error -vaapi_device /dev/dri/renderD128 -f lavfi -i color=size=320x240:rate=25:duration=0.2 -frames:v 1 -vf format=nv12,hwupload -c:v hevc_vaapi -f null -',
    );
    expect(trial('qsv', 'av1_qsv').join(' ')).toContain('-vf format=nv12 -c:v av1_qsv');
    expect(trial('nvenc', 'h264_nvenc').join(' ')).toContain('-vf format=yuv420p -c:v h264_nvenc');
  });

  it('is told by the FFmpeg of this machine without an error, and only once', async () => {
    const tools = new FfmpegTools({ ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe', timeoutSeconds: 30 });
    const works = await tools.hardware();
    for (const name of works)
      expect(name).toMatch(/^(?:h264|hevc|av1|vp9)_(?:vaapi|nvenc|qsv|videotoolbox)$/);
    expect(await tools.hardware()).toBe(works);
  });

  it('is tried by arguments that are right: a software encoder in its place encodes the frame', async () => {
    await expect(ffmpeg(...trial('nvenc', 'libx264'))).resolves.toBeUndefined();
  });
});
