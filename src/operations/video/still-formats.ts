// Formats of stills: their encoders, and what those make of a quality.

import type { StreamOptions } from '../video-operation.ts';

export type StillFormat = 'jpeg' | 'png' | 'webp';

interface StillFacts {
  /** As ffprobe calls it. */
  readonly codec: string;
  readonly encoder: string;
  readonly pixels: string;
  readonly extension: string;
}

export const STILL_FORMATS: { readonly [Format in StillFormat]: StillFacts } = {
  jpeg: { codec: 'mjpeg', encoder: 'mjpeg', pixels: 'yuvj420p', extension: 'jpg' },
  png: { codec: 'png', encoder: 'png', pixels: 'rgb24', extension: 'png' },
  webp: { codec: 'webp', encoder: 'libwebp', pixels: 'yuv420p', extension: 'webp' },
};

/** `quality` 1–100. */
export function stillQuality(format: StillFormat, quality: number): StreamOptions {
  if (format === 'png') return {};
  if (format === 'webp') return { quality: `${quality}` };
  // FFmpeg's own scale for JPEG runs from 2 (best) to 31.
  return { q: `${Math.max(2, Math.round((100 - quality) / 5) + 1)}` };
}
