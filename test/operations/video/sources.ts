// Sources as a probe would tell of them, for tests that need no file.

import { mainAudio, mainVideo } from '../../../src/operations/media-probe.ts';
import type { AudioStream, MediaProbe, VideoStream } from '../../../src/operations/media-probe.ts';
import { NO_FINDINGS } from '../../../src/operations/video/analysis.ts';
import type { Source } from '../../../src/operations/video-operation.ts';

/** Web-ready H.264, 1080p, 30 frames per second, 60 s. */
export const h264: VideoStream = {
  index: 0,
  codec: 'h264',
  profile: 'High',
  level: 40,
  pixelFormat: 'yuv420p',
  width: 1920,
  height: 1080,
  pixelAspect: 1,
  rotation: 0,
  fps: 30,
  baseFps: 30,
  frames: 1800,
  durationSeconds: 60,
  bitRate: 5_000_000,
  interlaced: false,
  fieldOrderKnown: true,
  startSeconds: 0,
  transfer: 'bt709',
  primaries: 'bt709',
  matrix: 'bt709',
  attachedPicture: false,
  isDefault: true,
};

/** Web-ready AAC, stereo, 60 s. */
export const aac: AudioStream = {
  index: 1,
  codec: 'aac',
  profile: 'LC',
  channels: 2,
  layout: 'stereo',
  language: null,
  startSeconds: 0,
  sampleRate: 48_000,
  frames: 2813,
  durationSeconds: 60,
  bitRate: 128_000,
};

export function probeOf(
  video: Partial<VideoStream> | null = {},
  audio: Partial<AudioStream> | null = {},
  rest: Partial<MediaProbe> = {},
): MediaProbe {
  return {
    container: 'mov,mp4,m4a,3gp,3g2,mj2',
    durationSeconds: 60,
    bitRate: 5_200_000,
    streams: 2,
    startSeconds: 0,
    subtitles: [],
    video: video === null ? [] : [{ ...h264, ...video }],
    audio: audio === null ? [] : [{ ...aac, ...audio }],
    ...rest,
  };
}

const FILTERS = new Set(['zscale', 'tonemap', 'bwdif', 'thumbnail', 'subtitles']);

export function sourceOf(probe: MediaProbe = probeOf(), rest: Partial<Source> = {}): Source {
  return {
    probe,
    mediaType: 'video/mp4',
    video: mainVideo(probe),
    audio: mainAudio(probe),
    filters: FILTERS,
    hardware: new Set(),
    cores: 2,
    mayCopy: true,
    mayChunk: false,
    findings: NO_FINDINGS,
    assets: new Map(),
    ...rest,
  };
}
