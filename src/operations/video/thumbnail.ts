// thumbnail: one good frame of a video as a still image.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import type { VideoStream } from '../media-probe.ts';
import type { OutputPart, Size, Source, VideoOperation } from '../video-operation.ts';
import { box, checkBox, integer, MAX_SECONDS, number } from './fields.ts';
import { boxing, frameDecisions, toFrames } from './frames.ts';
import { fitInto, shownSize } from './geometry.ts';

const percentage = z.string().regex(/^(?:100|\d{1,2}(?:\.\d{1,3})?)%$/);

const params = z
  .strictObject({
    type: z.literal('thumbnail').describe('Names the operation'),
    at: z
      .union([number(0, MAX_SECONDS), percentage], {
        error: 'must be seconds from 0 to 604800, or a percentage of the duration such as "25%"',
      })
      .optional()
      .describe(
        'Where: seconds from the beginning (0–604800) or a percentage of the duration such as "25%". Default: "25%". The best frame near there is taken',
      ),
    ...box,
    format: z.enum(['jpeg', 'png', 'webp']).default('jpeg').describe('Format of the image'),
    quality: integer(1, 100).optional().describe('1 (smallest) to 100 (best) for jpeg and webp. Default 80'),
  })
  .superRefine(checkBox);
type Params = z.output<typeof params>;

export const thumbnail: VideoOperation<typeof params> = {
  name: 'thumbnail',
  summary: 'Takes one good frame as an image.',
  params,
  examples: [
    { shows: 'a frame a quarter into the video, 640 pixels wide', params: { type: 'thumbnail', width: 640 } },
    {
      shows: 'a square WebP of second 12.5',
      params: { type: 'thumbnail', at: 12.5, width: 320, height: 320, fit: 'cover', format: 'webp' },
    },
  ],
  plan,
};

/** Frames to choose from: a second of film. More of them tell nothing more. */
const CHOICE = 24;
/** The choice is held in memory as RGB. */
const CHOICE_BYTES = 96_000_000;
/** A moment this close to the end may have no frame after it. */
const END_MARGIN_SECONDS = 0.2;

const FORMATS = {
  jpeg: { codec: 'mjpeg', encoder: 'mjpeg', pixels: 'yuvj420p', extension: 'jpg' },
  png: { codec: 'png', encoder: 'png', pixels: 'rgb24', extension: 'png' },
  webp: { codec: 'webp', encoder: 'libwebp', pixels: 'yuv420p', extension: 'webp' },
} as const;

function plan(asked: Params, source: Source): OutputPart {
  const { video } = source;
  if (video === null) {
    throw new Problem('stream_missing', 'The source has no video stream to take a frame from. Send a video.');
  }
  const { scaled, final } = fitInto(shownSize(video), asked);
  const moment = whenToLook(asked, source);
  const { codec, encoder, pixels, extension } = FORMATS[asked.format];
  return {
    extension,
    mediaType: `image/${asked.format}`,
    streams: [
      {
        kind: 'frames',
        take: {
          from: 'moment',
          at: moment.seconds,
          frames: framesToChooseFrom(scaled, video),
          // Scaled first: the choice is made among small frames.
          filters: (frames) => [
            ...toFrames(source, video, scaled),
            ...boxing(scaled, final),
            ...(frames > 1 ? [`thumbnail=n=${frames}`] : []),
            `format=${pixels}`,
          ],
        },
        options: { c: encoder, ...qualityOf(asked), frames: '1', fps_mode: 'vfr' },
      },
    ],
    muxer: ['-update', '1', '-f', 'image2'],
    window: { start: moment.seconds, end: moment.seconds },
    expects: {
      kind: 'still',
      video: { codec, size: final },
      audio: null,
      durationSeconds: null,
      durationIsExact: false,
    },
    maxBytes: 1_000_000 + final.width * final.height * 6,
    encoders: [encoder],
    decisions: [...moment.decisions, ...frameDecisions(source, video)],
  };
}

function qualityOf({ format, quality = 80 }: Params): Record<string, string> {
  if (format === 'png') return {};
  if (format === 'webp') return { quality: `${quality}` };
  // FFmpeg's own scale for JPEG runs from 2 (best) to 31.
  return { q: `${Math.max(2, Math.round((100 - quality) / 5) + 1)}` };
}

function framesToChooseFrom({ width, height }: Size, { fps }: VideoStream): number {
  const inMemory = Math.floor(CHOICE_BYTES / (width * height * 3));
  // Slides that change every few seconds: the next ones are of something else.
  const inTwoSeconds = Math.ceil((fps ?? CHOICE) * 2);
  return Math.max(2, Math.min(CHOICE, inMemory, inTwoSeconds));
}

interface Moment {
  readonly seconds: number;
  readonly decisions: readonly string[];
}

function whenToLook({ at = '25%' }: Params, { probe, video }: Source): Moment {
  const duration = video?.durationSeconds ?? probe.durationSeconds;
  if (duration === null) {
    if (typeof at === 'number') return { seconds: at, decisions: [] };
    return { seconds: 0, decisions: ['taken from the beginning: the source does not say how long it is'] };
  }
  const wanted = typeof at === 'number' ? at : (Number.parseFloat(at) / 100) * duration;
  const last = Math.max(0, duration - END_MARGIN_SECONDS);
  if (wanted <= last) return { seconds: wanted, decisions: [] };
  return {
    seconds: last,
    decisions: wanted > duration ? [`taken from the end: the source is ${duration.toFixed(1)} s long`] : [],
  };
}
