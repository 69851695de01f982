// waveform: the sound as a picture, and its peaks for players that draw it themselves.

import { z } from 'zod';
import { COLOUR, COLOUR_HINT } from '../../lib/colour.ts';
import { Problem } from '../../problems.ts';
import type { OutputPart, Source, VideoOperation } from '../video-operation.ts';
import { expectedSeconds } from './expectations.ts';
import { integer } from './fields.ts';
import { mixing } from './mixing.ts';
import { chooseTracks, trackField } from './tracks.ts';

/** Samples per second that peaks are taken from: fine enough for the eye, a third of the bytes. */
const SAMPLE_RATE = 16_000;

const colour = z.string().regex(COLOUR, COLOUR_HINT);

const params = z
  .strictObject({
    type: z.literal('waveform').describe('Names the operation'),
    width: integer(16, 4096).default(800).describe('Width of the picture in pixels, 16–4096. Default: 800'),
    height: integer(16, 1024).default(140).describe('Height of the picture in pixels, 16–1024. Default: 140'),
    colour: colour.default('3b82f6').describe(`Of the wave: ${COLOUR_HINT}`),
    background: colour.default('transparent').describe('What lies behind it, in the same way'),
    peaks: integer(10, 100_000)
      .optional()
      .describe('Pairs of lowest and highest sample in `peaks.json`, at most: 10–100000. Default: 800'),
    peaksPerSecond: integer(1, 500)
      .optional()
      .describe('The same by time, for players that zoom: 1–500 pairs per second. Not together with peaks'),
    track: trackField
      .default('first')
      .describe(
        'Which track: `first`, a language such as `en`, or its number from 1 to 16 as `probe` tells it. Default: first',
      ),
  })
  .superRefine(({ peaks, peaksPerSecond }, context) => {
    if (peaks === undefined || peaksPerSecond === undefined) return;
    context.addIssue({
      code: 'custom',
      path: ['peaksPerSecond'],
      message: 'give either peaks or peaksPerSecond, not both',
    });
  });
type Params = z.output<typeof params>;

export const waveform: VideoOperation<typeof params> = {
  name: 'waveform',
  summary: 'Draws the sound as a PNG, and tells its peaks in JSON as peaks.js and wavesurfer.js read it.',
  params,
  examples: [
    { shows: 'a blue wave, 800 × 140', params: { type: 'waveform' } },
    {
      shows: 'a small white one on black, with a peak each tenth of a second',
      params: {
        type: 'waveform',
        width: 300,
        height: 60,
        colour: 'ffffff',
        background: '000000',
        peaksPerSecond: 10,
      },
    },
  ],
  plan,
};

function plan(asked: Params, source: Source): OutputPart {
  const [track] = chooseTracks(source.probe, asked.track);
  if (track === undefined) {
    throw new Problem(
      'stream_missing',
      'The source has no sound to draw. Send a video with sound, or a sound file.',
    );
  }
  const window = { start: 0, end: null };
  const { seconds } = expectedSeconds(source.probe, window, [track]);
  const { width, height, colour: wave, background, peaks, peaksPerSecond } = asked;
  return {
    pieces: [
      {
        file: 'samples.raw',
        mediaType: 'application/octet-stream',
        streams: [
          {
            kind: 'audio',
            source: track.index,
            options: { c: 'pcm_s16le', ac: '1', ar: `${SAMPLE_RATE}` },
            filters: mixing(track, 1),
          },
        ],
        muxer: ['-f', 's16le'],
        expects: { kind: 'data', video: null, audio: null, durationSeconds: seconds, durationIsExact: false },
        maxBytes: 4_000_000 + Math.ceil((seconds ?? 14_400) * 4 * SAMPLE_RATE),
      },
    ],
    finish: {
      type: 'waveform',
      sampleRate: SAMPLE_RATE,
      wanted: peaksPerSecond === undefined ? { peaks: peaks ?? 800 } : { peaksPerSecond },
      image: { width, height, colour: wave, background },
    },
    window,
    encoders: ['pcm_s16le'],
    decisions: [
      track.channels > 1
        ? `all ${track.channels} channels mixed to one, at ${SAMPLE_RATE / 1000} kHz`
        : `peaks taken at ${SAMPLE_RATE / 1000} kHz`,
    ],
  };
}
