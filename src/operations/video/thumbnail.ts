// thumbnail: one good frame of a video as a still image, or many of them with a list.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import type { VideoStream } from '../media-probe.ts';
import type { OutputPart, Piece, Size, Source, VideoOperation } from '../video-operation.ts';
import type { Analysis } from './analysis.ts';
import { box, checkBox, integer, MAX_SECONDS, number } from './fields.ts';
import { boxing, frameDecisions, frameQuestions, toFrames } from './frames.ts';
import type { Fitted } from './geometry.ts';
import { stillQuality, STILL_FORMATS } from './still-formats.ts';
import { fitTurned, turnFields, turning } from './turning.ts';
import type { TurnedFit } from './turning.ts';

const MOST_LISTED = 50;
const percentage = (error: string) => z.string().regex(/^(?:100|\d{1,2}(?:\.\d{1,3})?)%$/, error);
const LISTED = 'must be seconds from 0 to 604800, or a percentage of the duration from "0%" to "100%"';
const SINGLE = `must be seconds from 0 to 604800, a percentage of the duration from "0%" to "100%", "best", or a list of 1 to ${MOST_LISTED} moments`;
const moment = (error: string) => z.union([number(0, MAX_SECONDS), percentage(error)], { error });

const params = z
  .strictObject({
    type: z.literal('thumbnail').describe('Names the operation'),
    at: z
      .union([moment(SINGLE), z.literal('best'), z.array(moment(LISTED)).min(1).max(MOST_LISTED)], {
        error: SINGLE,
      })
      .optional()
      .describe(
        'Where: seconds from the beginning (0–604800) or a percentage of the duration such as "25%", near which the best frame is taken; "best" for the best of the whole video; or a list of up to 50 moments, of which each gives a file. Default: "25%"',
      ),
    count: integer(2, 100)
      .optional()
      .describe(
        'So many, 2–100, spread evenly over the video, with a list of them in JSON. Not together with at',
      ),
    ...box,
    ...turnFields,
    format: z.enum(['jpeg', 'png', 'webp']).default('jpeg').describe('Format of the image'),
    quality: integer(1, 100).optional().describe('1 (smallest) to 100 (best) for jpeg and webp. Default 80'),
  })
  .superRefine((asked, context) => {
    checkBox(asked, context);
    if (asked.count === undefined || asked.at === undefined) return;
    context.addIssue({ code: 'custom', path: ['count'], message: 'give either at or count, not both' });
  });
type Params = z.output<typeof params>;

export const thumbnail: VideoOperation<typeof params> = {
  name: 'thumbnail',
  summary: 'Takes one good frame as an image, or many of them.',
  params,
  examples: [
    { shows: 'a frame a quarter into the video, 640 pixels wide', params: { type: 'thumbnail', width: 640 } },
    {
      shows: 'a square WebP of second 12.5',
      params: { type: 'thumbnail', at: 12.5, width: 320, height: 320, fit: 'cover', format: 'webp' },
    },
    { shows: 'the best frame of the whole video', params: { type: 'thumbnail', at: 'best', width: 640 } },
    { shows: 'ten of them, spread evenly', params: { type: 'thumbnail', count: 10, width: 320 } },
  ],
  analyses(asked, source) {
    const best = asked.at === 'best' ? bestQuestion(source) : null;
    return [...frameQuestions(source), ...(best === null ? [] : [best])];
  },
  plan,
};

/** Frames to choose from: a second of film. More of them tell nothing more. */
const CHOICE = 24;
/** The choice is held in memory as RGB. */
const CHOICE_BYTES = 96_000_000;
/** A moment this close to the end may have no frame after it. */
const END_MARGIN_SECONDS = 0.2;

function plan(asked: Params, source: Source): OutputPart {
  const { video } = source;
  if (video === null) {
    throw new Problem('stream_missing', 'The source has no video stream to take a frame from. Send a video.');
  }
  const fit = fitTurned(video, asked);
  const { fitted } = fit;
  const { encoder, extension } = STILL_FORMATS[asked.format];
  const shared = { encoders: [encoder], decisions: frameDecisions(source, video) };
  const listed = listOf(asked, source);
  if (listed !== null) {
    const seconds = listed.map((wanted) => Math.round(wanted.seconds * 1000) / 1000);
    return {
      ...shared,
      pieces: seconds.map((at, index) => {
        const name = `thumbnail-${`${index + 1}`.padStart(3, '0')}.${extension}`;
        return piece(asked, name, exactly(at, source, video, fit, asked), fitted);
      }),
      finish: { type: 'list', seconds },
      window: { start: Math.min(...seconds), end: Math.max(...seconds) },
      decisions: [...new Set(listed.flatMap(({ decisions }) => decisions)), ...shared.decisions],
    };
  }
  const one = whenToLook(asked, source);
  const frames = framesToChooseFrom(fitted.scaled, video);
  const take: MomentTake = one.exact
    ? exactly(one.seconds, source, video, fit, asked)
    : { from: 'moment', at: one.seconds, frames, filters: choosing(source, video, fit, asked) };
  return {
    ...shared,
    pieces: [piece(asked, `thumbnail.${extension}`, take, fitted)],
    window: { start: one.seconds, end: one.seconds },
    decisions: [...one.decisions, ...shared.decisions],
  };
}

type MomentTake = Extract<Extract<Piece['streams'][number], { take: unknown }>['take'], { from: 'moment' }>;

function piece(asked: Params, file: string, take: MomentTake, { final }: Fitted): Piece {
  const { codec, encoder } = STILL_FORMATS[asked.format];
  // Of a moment's frames the last one written stays: the first may be the way out for a source that ends before.
  const frames = take.frames === 1 ? '2' : '1';
  return {
    file,
    mediaType: `image/${asked.format}`,
    streams: [
      {
        kind: 'frames',
        take,
        options: { c: encoder, ...stillQuality(asked.format, asked.quality ?? 80), frames, fps_mode: 'vfr' },
      },
    ],
    muxer: ['-update', '1', '-f', 'image2'],
    expects: {
      kind: 'still',
      video: { codec, size: final },
      audio: null,
      durationSeconds: null,
      durationIsExact: false,
    },
    maxBytes: 1_000_000 + final.width * final.height * 6,
  };
}

/** The best of some frames. Scaled first: the choice is made among small frames. */
function choosing(source: Source, video: VideoStream, { scaled, fitted }: TurnedFit, asked: Params) {
  return (frames: number): string[] => [
    ...toFrames(source, video, scaled),
    ...turning(asked),
    ...boxing(fitted.scaled, fitted.final),
    ...(frames > 1 ? [`thumbnail=n=${frames}`] : []),
    `format=${STILL_FORMATS[asked.format].pixels}`,
  ];
}

/** The very frame. */
function exactly(
  at: number,
  source: Source,
  video: VideoStream,
  { scaled, fitted }: TurnedFit,
  asked: Params,
): MomentTake {
  return {
    from: 'moment',
    at,
    frames: 1,
    filters: (frames) => [
      ...toFrames(source, video, scaled),
      ...(frames === 1 || at <= 0 ? ['trim=end_frame=1'] : []),
      ...turning(asked),
      ...boxing(fitted.scaled, fitted.final),
      `format=${STILL_FORMATS[asked.format].pixels}`,
    ],
  };
}

function framesToChooseFrom({ width, height }: Size, { fps }: VideoStream): number {
  const inMemory = Math.floor(CHOICE_BYTES / (width * height * 3));
  // Slides that change every few seconds: the next ones are of something else.
  const inTwoSeconds = Math.ceil((fps ?? CHOICE) * 2);
  return Math.max(2, Math.min(CHOICE, inMemory, inTwoSeconds));
}

interface Moment {
  readonly seconds: number;
  /** That frame, and not the best near it. */
  readonly exact?: boolean;
  readonly decisions: readonly string[];
}

const durationOf = ({ probe, video }: Source): number | null =>
  video?.durationSeconds ?? probe.durationSeconds;

/** Several moments, or null where one is asked for. */
function listOf({ at, count }: Params, source: Source): readonly Moment[] | null {
  if (Array.isArray(at)) return at.map((wanted) => momentOf(wanted, source));
  if (count === undefined) return null;
  // Or they would all be the same.
  if (durationOf(source) === null) return [momentOf('0%', source)];
  // In the middle of equal parts: the very first and last frames are often black.
  return Array.from({ length: count }, (_, index) => momentOf(`${((index + 0.5) / count) * 100}%`, source));
}

function whenToLook({ at = '25%' }: Params, source: Source): Moment {
  if (Array.isArray(at)) throw new Error('a list of moments was taken for one');
  if (at !== 'best') return momentOf(at, source);
  const question = bestQuestion(source);
  const found = question === null ? undefined : source.findings.get(question);
  if (!found) {
    const why =
      found === null ? 'all frames that were looked at are blank' : 'the frames could not be compared';
    const quarter = momentOf('25%', source);
    if (question === null) return quarter;
    return { ...quarter, decisions: [`taken a quarter into the video: ${why}`] };
  }
  const { at: best, candidates } = found;
  // A hair sooner: it is found by the first frame that is not before.
  return {
    seconds: Math.max(0, best - 0.002),
    exact: true,
    decisions: [`taken at ${best.toFixed(2)} s: the best of ${candidates} frames from all over the video`],
  };
}

function bestQuestion(source: Source): (Analysis & { kind: 'bestFrame' }) | null {
  const seconds = durationOf(source);
  const { video } = source;
  return video === null || seconds === null ? null : { kind: 'bestFrame', video: video.index, seconds };
}

function momentOf(at: number | string, source: Source): Moment {
  const duration = durationOf(source);
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
