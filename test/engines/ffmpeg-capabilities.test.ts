import { describe, expect, it } from 'vitest';
import { readCapabilities } from '../../src/engines/ffmpeg-capabilities.ts';

const ENCODERS = `Encoders:
 V..... = Video
 A..... = Audio
 ------
 V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 (codec h264)
 V....D libx264rgb           libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 RGB (codec h264)
 VFS... mjpeg                MJPEG (Motion JPEG)
 VF...D png                  PNG (Portable Network Graphics) image
 V....D libvpx-vp9           libvpx VP9 (codec vp9)
 A....D aac                  AAC (Advanced Audio Coding)
`;
const FILTERS = `Filters:
  T.. = Timeline support
  V = Video input/output
 .SC zscale            V->V       Apply resizing, colorspace and bit depth conversion.
 .S. tonemap           V->V       Conversion to/from different dynamic ranges.
 TS. bwdif             V->V       Deinterlace the input image.
 T. thumbnail          V->V       Select the most representative frame.
 ... split             V->N       Pass on the input to N video outputs.
`;
const told = {
  ffmpeg: 'ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026 the FFmpeg developers\nbuilt with gcc',
  ffprobe: 'ffprobe version 5.1.9-0+deb12u1 Copyright',
  encoders: ENCODERS,
  filters: FILTERS,
};

describe('capabilities', () => {
  it('are what FFmpeg says of itself', () => {
    const found = readCapabilities(told);
    expect(found.ffmpeg).toBe('5.1.9');
    expect(found.encoders).toEqual(['libx264', 'aac', 'libvpx-vp9', 'mjpeg', 'png']);
    expect([...found.filters]).toEqual(['zscale', 'tonemap', 'bwdif', 'thumbnail', 'split']);
    expect(found.missing.slice(0, 2)).toEqual([
      'FFmpeg lacks the encoder libopus: no WebM can have encoded sound',
      'FFmpeg lacks the encoder libwebp: no WebP thumbnails',
    ]);
    expect(found.missing).toContain('FFmpeg lacks the filter subtitles: no subtitles can be burned in');
    expect(found.missing.join()).not.toMatch(/libx264|zscale/);
  });

  it.each([
    ['ffmpeg version n7.1.1-dev Copyright', '7.1.1', []],
    ['ffmpeg version N-118193-g5f38c82536 Copyright', 'N-118193-g5f38c82536', []],
    ['ffmpeg version 8.0 Copyright', '8.0', []],
    ['ffmpeg version 4.4.2 Copyright', '4.4.2', ['FFmpeg 4.4.2 is older than 5.1: it may fail']],
    ['ffmpeg version 5.0 Copyright', '5.0', ['FFmpeg 5.0 is older than 5.1: it may fail']],
  ])('read %j as %s', (ffmpeg, version, old) => {
    const found = readCapabilities({ ...told, ffmpeg });
    expect(found.ffmpeg).toBe(version);
    expect(found.missing.filter((line) => line.includes('older'))).toEqual(old);
  });

  it('say so where there is no FFmpeg', () => {
    const found = readCapabilities({ ffmpeg: null, ffprobe: null, encoders: null, filters: null });
    expect(found).toMatchObject({ ffmpeg: null, ffprobe: null, encoders: [] });
    expect(found.missing).toEqual([
      'FFmpeg cannot be run: no video can be made',
      'ffprobe cannot be run: no video can be made',
    ]);
  });
});
