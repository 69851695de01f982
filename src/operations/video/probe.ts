// probe: what the source is, as clean JSON. Nothing is decoded.

import { z } from 'zod';
import type { AudioStream, MediaProbe, SubtitleStream, VideoStream } from '../media-probe.ts';
import type { Source, VideoOperation } from '../video-operation.ts';
import { hdrKind } from './frames.ts';
import { shownSize } from './geometry.ts';

const params = z.strictObject({ type: z.literal('probe').describe('Names the operation') });

export const probe: VideoOperation<typeof params> = {
  name: 'probe',
  summary: 'Tells what the source is, in JSON: container, streams, sizes, rates, languages.',
  params,
  examples: [{ shows: 'what the source is', params: { type: 'probe' } }],
  plan: (_, source) => ({
    pieces: [],
    finish: {
      type: 'document',
      file: 'probe.json',
      mediaType: 'application/json',
      text: `${JSON.stringify(describe(source), null, 2)}\n`,
    },
    window: { start: 0, end: null },
    encoders: [],
    decisions: ['told from the headers of the file: nothing was decoded'],
  }),
};

/** Names that people know, by media type: FFmpeg's own names say what a demuxer can do. */
const CONTAINERS: Readonly<Record<string, string>> = {
  'video/mp4': 'MP4',
  'video/quicktime': 'QuickTime',
  'video/x-matroska': 'Matroska',
  'video/webm': 'WebM',
  'video/mp2t': 'MPEG-TS',
  'video/mpeg': 'MPEG-PS',
  'video/x-msvideo': 'AVI',
  'video/x-flv': 'FLV',
  'video/ogg': 'Ogg',
  'video/x-ms-asf': 'ASF',
  'audio/mpeg': 'MP3',
  'audio/aac': 'ADTS',
  'audio/mp4': 'MP4',
  'audio/flac': 'FLAC',
  'audio/wav': 'WAV',
  'audio/ogg': 'Ogg',
  'image/gif': 'GIF',
};

/** The document. Numbers are null where the file does not say; tracks count from 1, as the fields `track` and `audio` do. */
export function describe({ probe: media, mediaType, video }: Pick<Source, 'probe' | 'mediaType' | 'video'>) {
  const { durationSeconds, bitRate } = media;
  return {
    container: CONTAINERS[mediaType] ?? media.container,
    mediaType,
    durationSeconds: rounded(durationSeconds),
    bitRate,
    video: media.video.map((stream) => picture(stream, stream === video)),
    audio: soundOf(media),
    subtitles: media.subtitles.map(subtitle),
  };
}

function picture(stream: VideoStream, main: boolean) {
  const { codec, profile, level, width, height, rotation, fps, baseFps, frames, pixelAspect } = stream;
  const shown = shownSize(stream);
  return {
    index: stream.index,
    /** Outputs are made of the one that is main. */
    main,
    attachedPicture: stream.attachedPicture,
    codec,
    profile,
    level,
    width: shown.width,
    height: shown.height,
    stored: { width, height, pixelAspect: rounded(pixelAspect) },
    rotation,
    fps: rounded(fps),
    variableFrameRate: fps === null || baseFps === null ? null : baseFps > fps * 1.02,
    frames,
    durationSeconds: rounded(stream.durationSeconds),
    bitRate: stream.bitRate,
    pixelFormat: stream.pixelFormat,
    interlaced: stream.interlaced || stream.fieldOrderKnown ? stream.interlaced : null,
    hdr: hdrKind(stream),
    colour: { transfer: stream.transfer, primaries: stream.primaries, matrix: stream.matrix },
  };
}

function soundOf({ audio }: MediaProbe) {
  let tracks = 0;
  return audio.map((stream: AudioStream) => ({
    index: stream.index,
    track: stream.channels > 0 ? ++tracks : null,
    codec: stream.codec,
    profile: stream.profile,
    channels: stream.channels,
    layout: stream.layout,
    language: stream.language,
    sampleRate: stream.sampleRate,
    durationSeconds: rounded(stream.durationSeconds),
    bitRate: stream.bitRate,
  }));
}

function subtitle({ index, codec, language }: SubtitleStream, position: number) {
  return { index, track: position + 1, codec, language };
}

/** To a millionth: more is noise of binary fractions. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1e6) / 1e6;
}
