// The files that FFmpeg writes for a stream: a playlist and segments for each rung and each track of sound.

import type { AudioStream, VideoStream } from '../../media-probe.ts';
import { FOLDER } from '../../video-operation.ts';
import type { Piece, Source } from '../../video-operation.ts';
import { copyOptions } from '../copy-rules.ts';
import { aac, pictureOptions, soundFilters } from '../encoders.ts';
import type { PictureEncoding } from '../encoders.ts';
import { maxBytes } from '../expectations.ts';
import { colourOptions } from '../frames.ts';
import type { Hardware } from '../hardware.ts';
import type { EvenRate } from './even-rate.ts';
import type { Rung } from './ladder.ts';
import type { HlsParams } from './params.ts';
import { PLAYLIST_TYPE } from './playlists.ts';

export interface Place {
  readonly asked: HlsParams;
  readonly source: Source;
  readonly video: VideoStream;
  readonly hardware: Hardware | null;
  readonly rate: EvenRate;
  /** Frames from keyframe to keyframe. */
  readonly gop: number;
  readonly seconds: number | null;
  readonly exact: boolean;
  /** The picture is taken over as it is. */
  readonly copy: boolean;
}

export function encodingOf(
  { asked: { codec, quality, effort }, hardware, gop }: Place,
  rung: Rung,
): PictureEncoding {
  return pictureOptions({
    codec,
    quality,
    effort,
    hardware,
    maxBitrate: rung.maxKbps,
    gop: { frames: gop },
  });
}

export function picturePiece(place: Place, rung: Rung): Piece {
  const { asked, source, video, rate, copy, seconds, exact } = place;
  const encoding = encodingOf(place, rung);
  return {
    file: `${rung.name}.index.m3u8`,
    mediaType: PLAYLIST_TYPE,
    streams: [
      copy
        ? { kind: 'video', source: video.index, options: copyOptions(asked.codec), filters: [] }
        : {
            kind: 'frames',
            take: {
              from: 'picture',
              size: rung.size,
              fps: rate.forced,
              filters: [],
              ...(encoding.filters.length > 0 && { last: encoding.filters }),
            },
            options: { ...encoding.options, ...colourOptions(source, video) },
          },
    ],
    muxer: muxer(rung.name, asked.segmentSeconds),
    ...(!copy && encoding.global.length > 0 && { global: encoding.global }),
    expects: {
      kind: 'segments',
      video: { codec: asked.codec, size: rung.size },
      audio: null,
      durationSeconds: seconds,
      durationIsExact: exact,
    },
    maxBytes: maxBytes(source.probe, seconds, rung.size, rate.fps),
  };
}

/** Of a track of sound and its files. */
export const nameOf = (track: number): string => `a${track}`;

export function soundPiece(
  { asked, source, seconds, exact }: Place,
  audio: AudioStream,
  name: string,
): Piece {
  const { options } = aac(audio);
  return {
    file: `${name}.index.m3u8`,
    mediaType: PLAYLIST_TYPE,
    streams: [
      {
        kind: 'audio',
        source: audio.index,
        options,
        filters: [...soundFilters(audio), ...LEAD_IN],
      },
    ],
    muxer: muxer(name, asked.segmentSeconds),
    expects: {
      kind: 'segments',
      video: null,
      audio: { codec: 'aac' },
      durationSeconds: seconds,
      durationIsExact: exact,
    },
    maxBytes: maxBytes(source.probe, seconds, { width: 0, height: 0 }, 0),
  };
}

/**
 * AAC begins with a frame of lead-in that nothing in a CMAF segment takes away. It is given the place of the first
 * 1024 samples: 21 ms that nobody misses, and everything after them is heard when it should be.
 */
const LEAD_IN = ['atrim=start_sample=1024', 'asetpts=N/SR/TB'];

/**
 * FFmpeg's `hls` muxer for one rendition. Its playlist only tells us which segments are complete: it writes them and the
 * playlist under another name first (`temp_file`). CMAF: no edit list moves the picture against the sound.
 */
function muxer(name: string, segmentSeconds: number): readonly string[] {
  return [
    ...['-f', 'hls', '-hls_time', `${segmentSeconds}`, '-hls_playlist_type', 'event'],
    ...['-hls_segment_type', 'fmp4', '-hls_flags', 'independent_segments+temp_file'],
    ...['-hls_segment_options', 'movflags=+cmaf'],
    ...['-hls_fmp4_init_filename', `${name}.init.mp4`],
    ...['-hls_segment_filename', `${FOLDER}/${name}.%05d.m4s`],
  ];
}
