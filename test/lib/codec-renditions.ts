// Renditions by FFmpeg for the tests of MP4 boxes: one for each codec that the server makes or takes over.

import { afterAll, beforeAll } from 'vitest';
import { readInit } from '../../src/lib/mp4-boxes.ts';
import type { Track } from '../../src/lib/mp4/init.ts';
import {
  ffmpeg,
  hasEncoder,
  renditionFolder,
  renditionOutput,
  TEST_PICTURE,
  TEST_SOUND,
} from '../support/renditions.ts';
import type { RenditionFolder } from '../support/renditions.ts';

const GOP = ['-g', '25', '-keyint_min', '25', '-pix_fmt', 'yuv420p'];
const X265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-tag:v', 'hvc1', '-g', '25'];
const X265_PARAMS = 'log-level=error:scenecut=0:no-open-gop=1:pools=1';
const HDR = ['-color_primaries', 'bt2020', '-colorspace', 'bt2020nc'];

/** A rendition each, with the encoder that it needs. */
export const RECIPES: Readonly<
  Record<string, readonly [encoder: string, kind: 'v' | 'a', options: readonly string[]]>
> = {
  h264: [
    'libx264',
    'v',
    [
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-profile:v',
      'high',
      '-level',
      '3.1',
      '-sc_threshold',
      '0',
      ...GOP,
    ],
  ],
  baseline: [
    'libx264',
    'v',
    [
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-profile:v',
      'baseline',
      '-level',
      '3',
      '-sc_threshold',
      '0',
      ...GOP,
    ],
  ],
  hevc: ['libx265', 'v', [...X265, '-pix_fmt', 'yuv420p', '-x265-params', `${X265_PARAMS}:level-idc=31`]],
  hdr: [
    'libx265',
    'v',
    [
      ...X265,
      '-pix_fmt',
      'yuv420p10le',
      '-x265-params',
      `${X265_PARAMS}:level-idc=31`,
      '-color_trc',
      'smpte2084',
      ...HDR,
    ],
  ],
  hlg: [
    'libx265',
    'v',
    [...X265, '-pix_fmt', 'yuv420p10le', '-x265-params', X265_PARAMS, '-color_trc', 'arib-std-b67', ...HDR],
  ],
  av1: ['libsvtav1', 'v', ['-c:v', 'libsvtav1', '-preset', '10', ...GOP]],
  av1hdr: [
    'libaom-av1',
    'v',
    [
      '-c:v',
      'libaom-av1',
      '-cpu-used',
      '8',
      '-usage',
      'realtime',
      '-g',
      '25',
      '-pix_fmt',
      'yuv420p10le',
      '-color_trc',
      'smpte2084',
      ...HDR,
    ],
  ],
  vp9: ['libvpx-vp9', 'v', ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', ...GOP]],
  mono: ['aac', 'a', ['-c:a', 'aac', '-b:a', '64k']],
  stereo: ['aac', 'a', ['-c:a', 'aac', '-ac', '2', '-ar', '44100']],
  surround: ['aac', 'a', ['-c:a', 'aac', '-ac', '6']],
  opus: ['libopus', 'a', ['-c:a', 'libopus', '-ac', '2']],
  flac: ['flac', 'a', ['-c:a', 'flac', '-ac', '2', '-strict', '-2']],
  mp3: ['libmp3lame', 'a', ['-c:a', 'libmp3lame', '-ac', '2']],
};

/** Those whose encoder is there. */
export const MADE = Object.keys(RECIPES).filter((name) => hasEncoder(RECIPES[name]?.[0] ?? ''));

/** Call it where tests are described: makes these renditions before them, and removes them afterwards. */
export function codecRenditions(
  names: readonly string[] = MADE,
): Pick<RenditionFolder, 'join' | 'write' | 'rendition'> {
  let folder: RenditionFolder;
  beforeAll(() => {
    folder = renditionFolder();
    ffmpeg(
      ...TEST_PICTURE,
      ...TEST_SOUND,
      ...names.flatMap((name) => {
        const [, kind, options] = RECIPES[name] ?? ['', 'v', []];
        return ['-map', kind === 'v' ? '0:v' : '1:a', ...options, ...renditionOutput(folder, name)];
      }),
    );
  });
  afterAll(() => folder[Symbol.dispose]());
  return {
    join: (name) => folder.join(name),
    write: (name, content) => folder.write(name, content),
    rendition: (name) => folder.rendition(name),
  };
}

/** The track of a segment that has one. */
export function only(bytes: Uint8Array): Track {
  const [track, ...more] = readInit(bytes);
  if (track === undefined || more.length > 0) throw new Error('not one track');
  return track;
}
