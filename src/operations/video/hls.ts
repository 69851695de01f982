// hls: a ladder for adaptive streaming, in CMAF segments that HLS and DASH share; it can be watched while it is made.

import { z } from 'zod';
import { checkCut, checkStart, cutFields, windowOf } from './cut.ts';
import { Problem } from '../../problems.ts';
import type { AudioStream, VideoStream } from '../media-probe.ts';
import type { OutputPart, Piece, Source, VideoOperation } from '../video-operation.ts';
import { FOLDER } from '../video-operation.ts';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import { aac, pictureOptions, soundFilters } from './encoders.ts';
import type { PictureEncoding } from './encoders.ts';
import { expectedSeconds, maxBytes } from './expectations.ts';
import { integer, number } from './fields.ts';
import { colourOptions, frameDecisions, interlacingQuestion } from './frames.ts';
import { shownSize } from './geometry.ts';
import { chooseHardware, HARDWARE_WORDS } from './hardware.ts';
import type { Hardware } from './hardware.ts';
import { evenRate } from './hls/even-rate.ts';
import type { EvenRate } from './hls/even-rate.ts';
import { ladderFor } from './hls/ladder.ts';
import type { Rung } from './hls/ladder.ts';
import { keptSubtitles } from './subtitles.ts';
import { chooseTracks, tracksField } from './tracks.ts';

const MOST_RUNGS = 8;

const params = z
  .strictObject({
    type: z.literal('hls').describe('Names the operation'),
    heights: z
      .array(integer(90, 4320))
      .min(1)
      .max(MOST_RUNGS)
      .optional()
      .describe(
        'Lines of each rung, 90–4320, 1 to 8 of them; of a portrait it is the width. None is larger than the source. Default: chosen from 2160, 1440, 1080, 720, 480, 360 and 240, as the source allows',
      ),
    codec: z
      .enum(['h264', 'hevc', 'av1'])
      .default('h264')
      .describe('`h264` plays everywhere; `hevc` and `av1` need about half the bits, and newer players'),
    quality: integer(1, 100)
      .optional()
      .describe('1 (smallest) to 100 (best), within the bitrate of the rung. Default 75'),
    segmentSeconds: integer(2, 10)
      .default(4)
      .describe(
        'Length of a segment in seconds, 2–10: short ones start sooner, long ones cost fewer requests. Default: 4',
      ),
    fps: number(1, 120)
      .optional()
      .describe('Most frames per second, 1–120. Default: those of the source, at most 60'),
    ...cutFields,
    mute: looseBoolean(false).optional().describe('`true` leaves the sound out'),
    audio: tracksField
      .default('all')
      .describe(
        'Tracks of sound to choose from: "all", "first", a language code, or the number of a track from 1 to 16. Default: all',
      ),
    subtitles: z
      .enum(['keep', 'drop'])
      .default('keep')
      .describe('`keep` offers subtitles that are text as WebVTT, up to 8 tracks'),
    dash: looseBoolean(false)
      .optional()
      .describe('`true` adds `manifest.mpd`, a DASH manifest over the same segments'),
    hardware: z
      .enum(HARDWARE_WORDS)
      .default('off')
      .describe('Encoder of the machine: `auto` takes one where it works, a named one must be there'),
    effort: z
      .enum(['fast', 'balanced', 'small'])
      .default('fast')
      .describe(
        'Time against bytes: `balanced` takes about twice as long as `fast`, `small` about four times',
      ),
  })
  .superRefine(checkCut);
type Params = z.output<typeof params>;

export const hls: VideoOperation<typeof params> = {
  name: 'hls',
  summary: 'Makes a ladder of renditions for adaptive streaming, which can be watched while it is made.',
  params,
  examples: [
    { shows: 'a ladder chosen from the source', params: { type: 'hls' } },
    {
      shows: 'three rungs, with a DASH manifest over the same segments',
      params: { type: 'hls', heights: [1080, 720, 480], dash: true },
    },
  ],
  analyses(_, { video }) {
    const question = video === null ? null : interlacingQuestion(video);
    return question === null ? [] : [question];
  },
  plan,
};

/** A keyframe at least so often: for seeking, and for changing rungs within a segment. */
const GOP_SECONDS = 2;
const KBPS_OF_CHANNEL = 64;
const NO_SUBTITLES = { pieces: [], encoders: [], decisions: [] };

function plan(asked: Params, source: Source): OutputPart {
  const { video, probe } = source;
  if (video === null) {
    throw new Problem(
      'stream_missing',
      'The source has no video stream, so there is nothing to stream. Use an output of type "audio".',
    );
  }
  const window = windowOf(asked);
  checkStart(window, probe);
  const rate = evenRate(asked.fps ?? null, probe, video);
  const { rungs, decisions } = ladderFor({
    shown: shownSize(video),
    fps: rate.fps,
    sourceKbps: video.bitRate === null ? null : video.bitRate / 1000,
    codec: asked.codec,
    ...(asked.heights && { heights: asked.heights }),
  });
  const sounds = asked.mute === true ? [] : chooseTracks(probe, asked.audio);
  const duration = expectedSeconds(probe, window, [video, ...sounds]);
  const texts = asked.subtitles === 'keep' ? keptSubtitles(source, duration.seconds) : NO_SUBTITLES;
  const { hardware, decisions: ofHardware } = chooseHardware(asked.hardware, asked.codec, source);
  const gopsEach = Math.max(1, Math.round(asked.segmentSeconds / GOP_SECONDS));
  const gop = Math.max(1, Math.round((asked.segmentSeconds / gopsEach) * rate.fps));
  const place = {
    asked,
    source,
    video,
    hardware,
    rate,
    gop,
    seconds: duration.seconds,
    exact: duration.exact,
  };
  return {
    pieces: [
      ...rungs.map((rung) => picturePiece(place, rung)),
      ...sounds.map((sound, index) => soundPiece(place, sound, nameOf(index))),
      ...texts.pieces,
    ],
    finish: {
      type: 'hls',
      // Segments end at the first keyframe after their time.
      targetSeconds: Math.ceil((gop * gopsEach) / rate.fps),
      fps: rate.fps,
      rungs,
      sounds: sounds.map(({ language, channels }, index) => ({
        name: nameOf(index),
        language,
        channels: Math.min(2, channels),
        kbps: KBPS_OF_CHANNEL * Math.min(2, channels),
      })),
      subtitles: texts.pieces.map(({ file, streams: [stream] }) => ({
        name: file.replace(/\.vtt$/, ''),
        language:
          probe.subtitles.find(
            ({ index }) => stream !== undefined && 'source' in stream && index === stream.source,
          )?.language ?? null,
      })),
      dash: asked.dash === true,
    },
    window,
    encoders: [
      ...new Set(hardware === null ? rungs.map((rung) => encodingOf(place, rung).encoder) : []),
      ...(sounds.length === 0 ? [] : ['aac']),
      ...texts.encoders,
    ],
    decisions: [
      ...decisions,
      ...rate.decisions,
      ...ofHardware,
      ...frameDecisions(source, video),
      ...(sounds.length === 0 ? ['no sound'] : []),
      ...(probe.subtitles.length === 0 ? [] : texts.decisions),
    ],
  };
}

interface Place {
  readonly asked: Params;
  readonly source: Source;
  readonly video: VideoStream;
  readonly hardware: Hardware | null;
  readonly rate: EvenRate;
  /** Frames from keyframe to keyframe. */
  readonly gop: number;
  readonly seconds: number | null;
  readonly exact: boolean;
}

function encodingOf(
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

function picturePiece(place: Place, rung: Rung): Piece {
  const { asked, source, video, rate, seconds, exact } = place;
  const encoding = encodingOf(place, rung);
  return {
    file: `${rung.name}.index.m3u8`,
    mediaType: 'application/vnd.apple.mpegurl',
    streams: [
      {
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
    ...(encoding.global.length > 0 && { global: encoding.global }),
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

const nameOf = (track: number): string => `a${track}`;

function soundPiece({ asked, source, seconds, exact }: Place, audio: AudioStream, name: string): Piece {
  const { options } = aac(audio);
  return {
    file: `${name}.index.m3u8`,
    mediaType: 'application/vnd.apple.mpegurl',
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
