// FFmpeg's own media playlist, read for which segments are complete and how long they are. Only what we told it to write.

import type { MediaSegment } from './playlists.ts';

export interface ParsedPlaylist {
  /** Null before the first segment is there. */
  readonly init: string | null;
  readonly segments: readonly MediaSegment[];
  readonly ended: boolean;
}

/** What FFmpeg 5 to 8 write beside and what changes nothing for us. */
const PASSED_OVER =
  /^#EXT-X-(?:VERSION:\d+|TARGETDURATION:\d+|MEDIA-SEQUENCE:0|PLAYLIST-TYPE:(?:EVENT|VOD)|INDEPENDENT-SEGMENTS|ALLOW-CACHE:(?:YES|NO))$/;

/**
 * Reads the playlist of the rendition `name`, whose files are `{name}.init.mp4` and `{name}.00000.m4s`, `00001` … in
 * unbroken order. Anything else throws RangeError: another file must never be taken for one of ours.
 */
export function parsePlaylist(text: string, name: string): ParsedPlaylist {
  const [first, ...lines] = text.split('\n');
  if (first !== '#EXTM3U') throw broken('no playlist');
  const segments: MediaSegment[] = [];
  let init: string | null = null;
  let seconds: number | null = null;
  let ended = false;
  for (const line of lines) {
    const duration = /^#EXTINF:(\d{1,9}(?:\.\d{1,9})?),$/.exec(line)?.[1];
    if (ended && line !== '') throw broken('a line behind the end');
    if (duration !== undefined && seconds === null) seconds = Number(duration);
    else if (line === `#EXT-X-MAP:URI="${name}.init.mp4"` && init === null) init = `${name}.init.mp4`;
    else if (seconds !== null && line === segmentName(name, segments.length)) {
      segments.push({ uri: line, seconds });
      seconds = null;
    } else if (line === '#EXT-X-ENDLIST' && seconds === null) ended = true;
    else if (line !== '' && !PASSED_OVER.test(line)) throw broken('an unknown line');
  }
  if (seconds !== null) throw broken('a duration without its segment');
  if (init === null && segments.length > 0) throw broken('no initialization segment');
  return { init, segments, ended };
}

/** As `%05d` in FFmpeg and DASH: more digits where five are not enough. */
export function segmentName(name: string, index: number): string {
  return `${name}.${`${index}`.padStart(5, '0')}.m4s`;
}

function broken(why: string): RangeError {
  return new RangeError(`the encoder's playlist is not as expected: ${why}`);
}
