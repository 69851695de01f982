// Fragmented MP4 as FFmpeg and others write it (ISO/IEC 14496-12, CMAF): what an initialization and a media segment say.

import { readFragments } from './mp4/fragments.ts';
import type { Segment, TrackOfSegment } from './mp4/fragments.ts';
import { readTracks } from './mp4/init.ts';
import type { Track } from './mp4/init.ts';

/** Bytes that are no fragmented MP4, or one that ends too early or lies. */
export class BrokenBoxes extends Error {
  override readonly name = 'BrokenBoxes';
}

/**
 * The video and audio tracks of an initialization segment, in their order. Codecs are written as in RFC 6381.
 * Throws BrokenBoxes.
 */
export function readInit(bytes: Uint8Array): Track[] {
  return guarded(() => readTracks(viewOf(bytes)));
}

/**
 * What a whole media segment (one fragment or several) holds of a track that `readInit` gave. Throws BrokenBoxes.
 */
export function readSegment(bytes: Uint8Array, track: TrackOfSegment): Segment {
  return guarded(() => readFragments(viewOf(bytes), track));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The readers throw RangeError, as DataView does for what lies outside. */
function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new BrokenBoxes(error.message, { cause: error });
    throw error;
  }
}
