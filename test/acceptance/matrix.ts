// The outputs that are made of each clip, and which eye looks at them.

import { checkAudio, checkWaveform } from './check-sound.ts';
import { checkClip } from './check-clip.ts';
import type { ClipWish } from './check-clip.ts';
import { checkConcat, checkPreview } from './check-joined.ts';
import { checkHls } from './check-hls.ts';
import { checkProbe } from './check-probe.ts';
import { checkStoryboard, checkThumbnails } from './check-stills.ts';
import { checkTracks } from './check-tracks.ts';
import { streamsOf } from './look.ts';
import type { Findings } from './report.ts';
import type { Truth } from './truth.ts';

/** A finished output. */
export interface Result {
  readonly params: Readonly<Record<string, unknown>>;
  /** Absolute, in the order in which clients are told of them. */
  readonly paths: readonly string[];
  /** Of its other files too: an HLS output has more than it tells of. */
  path: (file: string) => string;
  readonly decisions: readonly string[];
  /** The source flashes and beeps. */
  readonly beeps: boolean;
}

export interface Recipe {
  readonly name: string;
  readonly needs: 'picture' | 'sound';
  /** It is made in a job of its own, with a shelf for chunks. */
  readonly chunked?: boolean;
  /** Null: not of this source. */
  params(truth: Truth): Readonly<Record<string, unknown>> | null;
  check(result: Result, truth: Truth, found: Findings): Promise<void>;
}

/** The source under this reference, for outputs that join it with itself. */
export const SELF = 'upload:self';

const hundredths = (value: number): number => Math.round(value * 100) / 100;

/** About the middle half of a source. */
function cut({ seconds }: Truth): { start: number; end: number } {
  return { start: hundredths(seconds * 0.3), end: hundredths(seconds * 0.8) };
}

function clip(name: string, params: Recipe['params'], wish: Omit<ClipWish, 'start' | 'end'>): Recipe {
  return {
    name,
    needs: 'picture',
    params,
    async check(result, truth, found) {
      const { start, end } = result.params as { start?: number; end?: number };
      await checkClip(
        result,
        truth,
        { ...wish, ...(start !== undefined && { start }), ...(end !== undefined && { end }) },
        found,
      );
    },
  };
}

const transcode = (params: object) => () => ({ type: 'transcode', effort: 'fast', ...params });

const STILL = { needs: 'picture', check: checkThumbnails } as const;
const PREVIEW = { type: 'preview', moments: 3, secondsEach: 0.5, width: 160 };

function sound(name: string, params: object, isCut = false): Recipe {
  return {
    name,
    needs: 'sound',
    params: (truth) => ({ type: 'audio', ...params, ...(isCut && cut(truth)) }),
    check: checkAudio,
  };
}

export const RECIPES: readonly Recipe[] = [
  clip('mp4', transcode({}), { codec: 'h264' }),
  clip('h264', transcode({ encode: 'always', height: 360 }), { codec: 'h264', height: 360 }),
  clip('hevc', transcode({ codec: 'hevc', height: 240 }), { codec: 'hevc', height: 240 }),
  clip('av1', transcode({ codec: 'av1', height: 240 }), { codec: 'av1', height: 240 }),
  clip('webm', transcode({ format: 'webm', height: 180 }), { codec: 'vp9', height: 180 }),
  clip('trim', (truth) => ({ ...transcode({ height: 240 })(), ...cut(truth) }), {
    codec: 'h264',
    height: 240,
  }),
  clip('cover', transcode({ width: 120, height: 120, fit: 'cover', mute: true }), {
    codec: 'h264',
    width: 120,
    height: 120,
    cover: true,
    mute: true,
  }),
  {
    name: 'tracks',
    needs: 'picture',
    params: ({ looked }) =>
      streamsOf(looked, 'subtitle').length + streamsOf(looked, 'audio').length < 2
        ? null
        : transcode({ audio: 'all', subtitles: 'keep', height: 120 })(),
    check: checkTracks,
  },
  {
    name: 'hls',
    needs: 'picture',
    params: () => ({ type: 'hls', heights: [360, 180], segmentSeconds: 2, dash: true }),
    check: checkHls,
  },
  {
    name: 'hls-cut',
    needs: 'picture',
    params: (truth) => ({ type: 'hls', heights: [180], segmentSeconds: 2, ...cut(truth) }),
    check: checkHls,
  },
  { name: 'still', params: () => ({ type: 'thumbnail', at: '50%', width: 160 }), ...STILL },
  { name: 'stills', params: () => ({ type: 'thumbnail', count: 4, width: 160, format: 'webp' }), ...STILL },
  { name: 'best', params: () => ({ type: 'thumbnail', at: 'best', width: 160, format: 'png' }), ...STILL },
  {
    name: 'board',
    needs: 'picture',
    params: ({ seconds }) => ({
      type: 'storyboard',
      everySeconds: Math.max(0.2, hundredths(seconds / 10)),
      width: 96,
      columns: 4,
      rows: 2,
    }),
    check: checkStoryboard,
  },
  { name: 'pv-webp', needs: 'picture', params: () => PREVIEW, check: checkPreview },
  { name: 'pv-gif', needs: 'picture', params: () => ({ ...PREVIEW, format: 'gif' }), check: checkPreview },
  { name: 'pv-mp4', needs: 'picture', params: () => ({ ...PREVIEW, format: 'mp4' }), check: checkPreview },
  sound('aac', { format: 'aac', loudness: -16 }),
  sound('mp3', { format: 'mp3', channels: 1 }),
  sound('opus', { format: 'opus', loudness: -23 }),
  sound('flac', { format: 'flac' }),
  sound('wav', { format: 'wav' }, true),
  { name: 'wave', needs: 'sound', params: () => ({ type: 'waveform', peaks: 200 }), check: checkWaveform },
  { name: 'probe', needs: 'picture', params: () => ({ type: 'probe' }), check: checkProbe },
  {
    name: 'concat',
    needs: 'picture',
    params: () => ({ type: 'concat', with: [SELF], height: 180, effort: 'fast' }),
    check: checkConcat,
  },
  {
    ...clip('chunked', transcode({ format: 'webm', height: 180 }), {
      codec: 'vp9',
      height: 180,
      chunked: true,
    }),
    chunked: true,
    // Two chunks of five seconds are the least.
    params: (truth) => (truth.picture.end < 10 ? null : transcode({ format: 'webm', height: 180 })()),
  },
];
