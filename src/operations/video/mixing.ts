// What a track goes through before it is encoded or measured: no holes, and as many channels as are wanted.

import type { AudioStream } from '../media-probe.ts';
import { soundFilters } from './encoders.ts';

/** Filters to one channel or two. A stereo source may become neither louder nor clipped as mono, which FFmpeg lets happen. */
export function mixing(track: Pick<AudioStream, 'channels'>, channels: number): string[] {
  const toMono = ['aresample=rematrix_maxval=1', 'aformat=channel_layouts=mono'];
  return [...soundFilters(track), ...(channels === 1 && track.channels > 1 ? toMono : [])];
}
