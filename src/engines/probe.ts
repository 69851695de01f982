// Asks ffprobe what a file is, and believes none of it unchecked.

import { z } from 'zod';
import type { AudioStream, MediaProbe, VideoStream } from '../operations/media-probe.ts';
import { Problem } from '../problems.ts';
import type { ChildEnd } from './child.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import { wholeInput } from './ffmpeg-input.ts';

export interface ProbeRequest {
  /** Absolute. */
  readonly path: string;
  readonly mediaType: string;
  readonly maxPixels: number;
}

/** Runs ffprobe with these arguments; see `Tools` in `ffmpeg-tools.ts`. */
export type RunProbe = (args: readonly string[], log: FfmpegLog) => Promise<ChildEnd>;

const ENTRIES = [
  'format=format_name,duration,bit_rate,nb_streams,start_time',
  'stream=index,codec_type,codec_name,profile,level,pix_fmt,width,height,sample_aspect_ratio,avg_frame_rate,r_frame_rate,nb_frames,duration,bit_rate,field_order,color_transfer,color_primaries,color_space,channels,channel_layout,sample_rate,start_time',
  'stream_tags=rotate,language',
  'stream_disposition=attached_pic,timed_thumbnails,default',
  'stream_side_data=rotation',
].join(':');

export function probeArguments({ maxPixels, ...file }: ProbeRequest): string[] {
  return [
    '-hide_banner',
    '-loglevel',
    'level+warning',
    '-of',
    'json',
    '-show_entries',
    ENTRIES,
    ...wholeInput(file, maxPixels),
  ];
}

/**
 * What the file is. Rejects `video_unreadable`, `video_too_complex`, `media_type_unsupported`, `encoder_killed`, or with the reason of
 * an abort.
 */
export async function probe(request: ProbeRequest, run: RunProbe): Promise<MediaProbe> {
  const log = new FfmpegLog();
  const end = await run(probeArguments(request), log);
  if (end.stopped !== null) {
    throw new Problem(
      'video_unreadable',
      'Reading the beginning of the file took too long. It is damaged, or made to take long.',
    );
  }
  if (end.signal === 'SIGKILL' || end.signal === 'SIGTERM') {
    // Not the file's fault, so the job is tried again. Other signals are: a crash, or the CPU limit.
    throw new Problem('encoder_killed', `ffprobe was stopped from outside by ${end.signal}.`);
  }
  const result = end.code === 0 ? parseProbe(end.stdout) : null;
  if (result === null) throw unreadable(log);
  refuseTooLarge(result, log, request.maxPixels);
  return result;
}

function unreadable(log: FfmpegLog): Problem {
  if (log.has(/exceeds max_streams/)) {
    return new Problem(
      'video_too_complex',
      'The file has more than 16 streams, which is the most that is taken.',
    );
  }
  const codec = log.lines
    .map(({ text }) => /^Codec \((\w{1,40})\) not on whitelist/.exec(text)?.[1])
    .find(Boolean);
  if (codec !== undefined) {
    return new Problem(
      'media_type_unsupported',
      `The file holds a stream of kind ${codec}, which is not supported.`,
    );
  }
  const reason = log.reason();
  return new Problem(
    'video_unreadable',
    `The file cannot be read as a video${reason === '' ? '' : `: ${reason}`}. Check that it plays, and send it again whole.`,
  );
}

/** A decoder that refuses a size leaves it unknown: what it said is then the only trace. */
function refuseTooLarge({ video }: MediaProbe, log: FfmpegLog, maxPixels: number): void {
  if (video.some(({ width }) => width > 0)) return;
  if (log.has(/max pixel count|exceeds limit|Picture size .* is invalid/)) {
    throw new Problem(
      'video_too_complex',
      `A frame of the video has more than ${maxPixels} pixels, which is the most.`,
    );
  }
}

/** A number of ffprobe's, which writes some as text, some as `N/A` and some as nonsense. */
const figure = (min: number, max: number) =>
  z
    .union([z.number(), z.string().max(40)])
    .transform((value) => (value === '' ? Number.NaN : Number(value)))
    .pipe(z.number().min(min).max(max))
    .nullable()
    .catch(null)
    .default(null);

const whole = (max: number) =>
  z
    .union([z.number(), z.string().max(40)])
    .transform((value) => (value === '' ? Number.NaN : Number(value)))
    .pipe(z.int().min(0).max(max))
    .nullable()
    .catch(null)
    .default(null);

/** `30000/1001`, and `0/0` for none. */
const ratio = (separator: RegExp, max: number) =>
  z
    .string()
    .max(40)
    .transform((text) => {
      const [over = Number.NaN, under = Number.NaN] = text.split(separator).map(Number);
      const value = over / under;
      return Number.isFinite(value) && value > 0 && value <= max ? value : null;
    })
    .nullable()
    .catch(null)
    .default(null);

const word = z
  .string()
  .regex(/^[\w .:()/+-]{1,60}$/)
  .transform((text) => (text === 'unknown' || text === 'N/A' ? null : text))
  .nullable()
  .catch(null)
  .default(null);

const seconds = figure(0, 1e9);

/** Two or three letters; `und` and `mis` say nothing. */
const language = z
  .string()
  .regex(/^[A-Za-z]{2,3}$/)
  .transform((text) => (/^(?:und|mis|mul|zxx)$/i.test(text) ? null : text.toLowerCase()))
  .nullable()
  .catch(null)
  .default(null);

const streamSchema = z.object({
  index: z.int().min(0).max(1000),
  codec_type: word,
  codec_name: word,
  profile: word,
  level: figure(0, 1000),
  pix_fmt: word,
  width: whole(1e6),
  height: whole(1e6),
  sample_aspect_ratio: ratio(/:/, 100),
  avg_frame_rate: ratio(/\//, 1e6),
  r_frame_rate: ratio(/\//, 1e6),
  nb_frames: whole(1e12),
  duration: seconds,
  bit_rate: figure(1, 1e12),
  field_order: word,
  color_transfer: word,
  color_primaries: word,
  color_space: word,
  channels: whole(1000),
  channel_layout: word,
  start_time: figure(-1e9, 1e9),
  sample_rate: whole(1e7),
  tags: z
    .object({ rotate: figure(-360, 360), language })
    .catch({ rotate: null, language: null })
    .default({ rotate: null, language: null }),
  disposition: z
    .object({ attached_pic: whole(1), timed_thumbnails: whole(1), default: whole(1) })
    .catch({ attached_pic: null, timed_thumbnails: null, default: null })
    .default({ attached_pic: null, timed_thumbnails: null, default: null }),
  side_data_list: z
    .array(z.object({ rotation: figure(-360, 360) }))
    .catch([])
    .default([]),
});

const documentSchema = z.object({
  format: z.object({
    format_name: z.string().regex(/^[\w,]{1,100}$/),
    duration: seconds,
    bit_rate: figure(1, 1e12),
    nb_streams: whole(10_000),
    start_time: figure(-1e9, 1e9),
  }),
  streams: z.array(streamSchema).max(1000).default([]),
});

/** ffprobe's JSON as our data, or null if it is none. */
export function parseProbe(text: string): MediaProbe | null {
  const { format, streams } = documentSchema.safeParse(readJson(text)).data ?? { format: null, streams: [] };
  if (format === null) return null;
  return {
    container: format.format_name,
    durationSeconds: positive(format.duration),
    bitRate: format.bit_rate,
    streams: format.nb_streams ?? streams.length,
    startSeconds: format.start_time,
    video: streams.filter(({ codec_type }) => codec_type === 'video').map(videoStream),
    audio: streams.filter(({ codec_type }) => codec_type === 'audio').map(audioStream),
    subtitles: streams
      .filter(({ codec_type }) => codec_type === 'subtitle')
      .map(({ index, codec_name, tags }) => ({
        index,
        codec: codec_name ?? 'unknown',
        language: tags.language,
      })),
  };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

type Stream = z.output<typeof streamSchema>;

function videoStream(stream: Stream): VideoStream {
  const rotation = stream.side_data_list.find(({ rotation: found }) => found !== null)?.rotation;
  return {
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    profile: stream.profile,
    level: stream.level,
    pixelFormat: stream.pix_fmt,
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    pixelAspect: stream.sample_aspect_ratio ?? 1,
    // Files of before 2014, and FFmpeg before 5, have it in a tag.
    rotation: (Math.round(rotation ?? stream.tags.rotate ?? 0) + 720) % 360,
    fps: stream.avg_frame_rate,
    baseFps: stream.r_frame_rate,
    frames: positive(stream.nb_frames),
    durationSeconds: positive(stream.duration),
    bitRate: stream.bit_rate,
    interlaced: ['tt', 'bb', 'tb', 'bt'].includes(stream.field_order ?? ''),
    fieldOrderKnown: stream.field_order !== null,
    startSeconds: stream.start_time,
    transfer: stream.color_transfer,
    primaries: stream.color_primaries,
    matrix: stream.color_space,
    attachedPicture: stream.disposition.attached_pic === 1 || stream.disposition.timed_thumbnails === 1,
    isDefault: stream.disposition.default === 1,
  };
}

function audioStream(stream: Stream): AudioStream {
  return {
    index: stream.index,
    codec: stream.codec_name ?? 'unknown',
    profile: stream.profile,
    channels: stream.channels ?? 0,
    layout: stream.channel_layout,
    language: stream.tags.language,
    startSeconds: stream.start_time,
    sampleRate: positive(stream.sample_rate),
    frames: positive(stream.nb_frames),
    durationSeconds: positive(stream.duration),
    bitRate: stream.bit_rate,
  };
}

/** Zero of these means unknown. */
function positive(value: number | null): number | null {
  return value !== null && value > 0 ? value : null;
}
