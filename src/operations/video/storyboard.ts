// storyboard: small pictures of every few seconds on sprites, and a WebVTT map of them, as players show above their time line.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import type { VideoStream } from '../media-probe.ts';
import type { OutputPart, Size, Source, VideoOperation } from '../video-operation.ts';
import { expectedSeconds } from './expectations.ts';
import { integer, MAX_PIXELS, number } from './fields.ts';
import { frameDecisions, frameQuestions } from './frames.ts';
import { fitInto, shownSize } from './geometry.ts';
import { stillQuality, STILL_FORMATS } from './still-formats.ts';

const MOST_SPRITES = 100;
const MOST_TILES = 10_000;
/** JPEG and WebP have no room for longer sides: RFC 9649, 2.4. */
const MOST_SIDE = 16_383;
/** Where nobody says how often: about so many tiles, at steps that people find natural. */
const USUAL_TILES = 100;
const STEPS = [1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 300, 600] as const;
/** Where the length is not known. */
const GUESSED_STEP = 10;

const params = z.strictObject({
  type: z.literal('storyboard').describe('Names the operation'),
  everySeconds: number(0.2, 3600)
    .optional()
    .describe('Seconds from one picture to the next, 0.2–3600. Default: so that there are at most 100'),
  width: integer(16, 640)
    .default(160)
    .describe('Width of each picture in pixels, 16–640; its height follows. Default: 160'),
  columns: integer(1, 20).default(10).describe('Pictures in a row of a sprite, 1–20. Default: 10'),
  rows: integer(1, 20).default(10).describe('Rows of a sprite, 1–20. Default: 10'),
  format: z.enum(['jpeg', 'webp']).default('jpeg').describe('Format of the sprites'),
  quality: integer(1, 100).optional().describe('1 (smallest) to 100 (best). Default 70'),
});
type Params = z.output<typeof params>;

export const storyboard: VideoOperation<typeof params> = {
  name: 'storyboard',
  summary: 'Puts a small picture of every few seconds on sprites, with a WebVTT map for players.',
  params,
  examples: [
    { shows: 'about a hundred pictures, ten in a row', params: { type: 'storyboard' } },
    {
      shows: 'one every five seconds, larger, as WebP',
      params: { type: 'storyboard', everySeconds: 5, width: 240, columns: 5, rows: 5, format: 'webp' },
    },
  ],
  analyses(asked, source) {
    const { video } = source;
    if (video === null) return [];
    return [
      ...frameQuestions(source),
      // Below a second they are never dense enough.
      ...(stepOf(asked, lengthOf(source, video)).seconds < 1
        ? []
        : [{ kind: 'keyframes', video: video.index } as const]),
    ];
  },
  plan,
};

function lengthOf({ probe }: Source, video: VideoStream): number | null {
  return expectedSeconds(probe, { start: 0, end: null }, [video]).seconds;
}

interface Step {
  readonly seconds: number;
  readonly decisions: readonly string[];
}

/** How far pictures lie apart. In thousandths of a second, as the map tells time. */
function stepOf({ everySeconds, columns, rows }: Params, length: number | null): Step {
  if (length === null) return { seconds: everySeconds ?? GUESSED_STEP, decisions: [] };
  if (everySeconds === undefined) {
    const seconds = STEPS.find((step) => length / step <= USUAL_TILES) ?? Math.ceil(length / USUAL_TILES);
    return { seconds, decisions: [`a picture every ${seconds} s`] };
  }
  const most = Math.min(MOST_TILES, MOST_SPRITES * columns * rows);
  const wanted = Math.round(everySeconds * 1000) / 1000;
  if (length / wanted <= most) return { seconds: wanted, decisions: [] };
  const seconds = Math.ceil((length / most) * 1000) / 1000;
  return {
    seconds,
    decisions: [`a picture every ${seconds} s instead of ${wanted}: ${most} of them are the most`],
  };
}

/** No more cells than there are pictures, and no larger sprites than decoders take. */
function gridOf(
  { columns, rows }: Params,
  tile: Size,
  tiles: number | null,
): { columns: number; rows: number } {
  const across = Math.min(columns, tiles ?? columns, Math.floor(MOST_SIDE / tile.width));
  const most = Math.min(MOST_SIDE / tile.height, MAX_PIXELS / (across * tile.width * tile.height));
  const down = Math.min(rows, tiles === null ? rows : Math.ceil(tiles / across), Math.floor(most));
  return { columns: Math.max(1, across), rows: Math.max(1, down) };
}

function plan(asked: Params, source: Source): OutputPart {
  const { video } = source;
  if (video === null) {
    throw new Problem(
      'stream_missing',
      'The source has no video stream to take pictures from. Send a video.',
    );
  }
  const tile = fitInto(shownSize(video), { width: asked.width, fit: 'inside' }).final;
  const length = lengthOf(source, video);
  const step = stepOf(asked, length);
  const grid = gridOf(asked, tile, length === null ? null : Math.max(1, Math.ceil(length / step.seconds)));
  const { codec, encoder, pixels, extension } = STILL_FORMATS[asked.format];
  const sprite = { width: tile.width * grid.columns, height: tile.height * grid.rows };
  const apart = source.findings.get({ kind: 'keyframes', video: video.index })?.longestSeconds ?? Infinity;
  const isFewer = grid.columns < asked.columns || grid.rows < asked.rows;
  return {
    pieces: [
      {
        file: `sprite-%03d.${extension}`,
        mediaType: `image/${asked.format}`,
        streams: [
          {
            kind: 'frames',
            take: {
              from: 'picture',
              size: tile,
              fps: 1 / step.seconds,
              sampled: true,
              filters: [`tile=${grid.columns}x${grid.rows}`, `format=${pixels}`],
            },
            options: {
              c: encoder,
              ...stillQuality(asked.format, asked.quality ?? 70),
              fps_mode: 'passthrough',
              // A source that does not say how long it is may be anything.
              frames: `${MOST_SPRITES}`,
            },
          },
        ],
        muxer: ['-start_number', '1', '-f', 'image2'],
        expects: {
          kind: 'stills',
          video: { codec, size: sprite },
          audio: null,
          durationSeconds: length,
          durationIsExact: false,
        },
        maxBytes: 1_000_000 + sprite.width * sprite.height * 6,
        keyframesSuffice: apart <= step.seconds / 2,
      },
    ],
    finish: { type: 'storyboard', everySeconds: step.seconds, ...grid, tile, durationSeconds: length },
    window: { start: 0, end: null },
    encoders: [encoder],
    decisions: [
      ...step.decisions,
      ...(isFewer ? [`sprites of ${grid.columns} × ${grid.rows} pictures`] : []),
      ...frameDecisions(source, video),
    ],
  };
}
