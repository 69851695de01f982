// Media playlists: the segments of one rendition, and its I-frames (RFC 8216, 4.3.3).

import { plainName, quoted, secondsOf, tagOf, wholeNumber } from './tags.ts';

/** Media type of every playlist (RFC 8216, 10). */
export const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';

/** What a player begins with: written once all that it names is there. */
export const MASTER_FILE = 'master.m3u8';

/** `event`: more will be added at the end. `vod`: it is complete. */
export type PlaylistKind = 'event' | 'vod';

export interface MediaSegment {
  /** A plain name, relative to the playlist. */
  readonly uri: string;
  readonly seconds: number;
}

export interface MediaPlaylist {
  readonly kind: PlaylistKind;
  /**
   * No segment is longer, rounded to whole seconds. It must not change while a playlist grows (RFC 8216, 6.2.1), so it
   * is what the encoder was told. Raised where a segment is longer nevertheless, which would be worse.
   */
  readonly targetSeconds: number;
  /** The initialization segment; null for WebVTT, which has none. */
  readonly init: string | null;
  readonly segments: readonly MediaSegment[];
}

export function mediaPlaylist({ kind, targetSeconds, init, segments }: MediaPlaylist): string {
  return playlist(kind, targetSeconds, segments, [], init, ({ uri }) => [plainName(uri)]);
}

/** A frame that can be shown alone, for seeking and fast motion. */
export interface KeyFrame extends MediaSegment {
  /** Until the next one. */
  readonly seconds: number;
  /** Bytes of the segment: the fragment's header and the frame. */
  readonly offset: number;
  readonly length: number;
}

export interface IframePlaylist {
  readonly kind: PlaylistKind;
  readonly targetSeconds: number;
  readonly init: string;
  readonly frames: readonly KeyFrame[];
}

/** RFC 8216, 4.3.3.6. */
export function iframePlaylist({ kind, targetSeconds, init, frames }: IframePlaylist): string {
  return playlist(kind, targetSeconds, frames, ['#EXT-X-I-FRAMES-ONLY'], init, ({ uri, offset, length }) => [
    `#EXT-X-BYTERANGE:${wholeNumber(length)}@${wholeNumber(offset)}`,
    plainName(uri),
  ]);
}

function playlist<Segment extends MediaSegment>(
  kind: PlaylistKind,
  targetSeconds: number,
  segments: readonly Segment[],
  tags: readonly string[],
  init: string | null,
  lines: (segment: Segment) => readonly string[],
): string {
  const target = segments.reduce((most, { seconds }) => Math.max(most, Math.round(seconds)), 1);
  return [
    '#EXTM3U',
    // 6 has EXT-X-MAP; fragmented MP4 came with 7.
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(target, wholeNumber(Math.ceil(targetSeconds)))}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${kind === 'event' ? 'EVENT' : 'VOD'}`,
    ...tags,
    ...(init === null ? [] : [tagOf('EXT-X-MAP', { URI: quoted(plainName(init)) })]),
    ...segments.flatMap((segment) => [`#EXTINF:${secondsOf(segment.seconds)},`, ...lines(segment)]),
    ...(kind === 'vod' ? ['#EXT-X-ENDLIST'] : []),
    '',
  ].join('\n');
}
