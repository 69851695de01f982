// Parameters of transcode, and the checks that go across them.

import { z } from 'zod';
import { checkCut, cutFields } from './cut.ts';
import { turnFields } from './turning.ts';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import { crfBounds } from './encoders.ts';
import type { PictureCodec } from './encoders.ts';
import { box, checkBox, integer, number } from './fields.ts';
import { HARDWARE_WORDS } from './hardware.ts';
import { codecName } from './names.ts';
import { QUALITY_WORDS } from './quality-words.ts';
import { trackField, tracksField } from './tracks.ts';
import { watermarkFields } from './watermark.ts';

const FORMATS = ['mp4', 'webm'] as const;
type Format = (typeof FORMATS)[number];

/** The codecs of each format; the first is the default. */
const CODECS: { readonly [Name in Format]: readonly [PictureCodec, ...PictureCodec[]] } = {
  mp4: ['h264', 'hevc', 'av1'],
  webm: ['vp9', 'av1'],
};

/** Those that the query of `POST /v1/videos` has too. */
export const transcodeFields = {
  format: z
    .enum(FORMATS)
    .default('mp4')
    .describe('`mp4` is H.264 with AAC and plays everywhere; `webm` is VP9 with Opus'),
  codec: z
    .enum(['h264', 'hevc', 'av1', 'vp9'])
    .optional()
    .describe(
      'Of the picture. mp4: `h264` (default), `hevc`, `av1`; webm: `vp9` (default), `av1`. The newer ones need about half the bytes, more time to encode, and newer players',
    ),
  ...box,
  ...turnFields,
  quality: z
    .union([integer(1, 100), z.enum(QUALITY_WORDS)], {
      error: `must be a number from 1 to 100, or one of ${QUALITY_WORDS.join(', ')}`,
    })
    .optional()
    .describe(
      '1 (smallest) to 100 (best), or a likeness to the source that is searched for on samples: `visually-lossless` (VMAF 97, SSIM 0.99), `high` (93, 0.98), `economy` (85, 0.96). Default 75. Asking for one always encodes. Not together with crf',
    ),
  crf: integer(1, 63)
    .optional()
    .describe(
      "The encoder's own scale, lower is better: 1–51 for h264 and hevc, 1–63 for vp9 and av1. Not together with quality",
    ),
  maxBitrate: integer(50, 200_000)
    .optional()
    .describe('Most kilobits per second of the picture, 50–200000. Default: as many as the quality takes'),
  fps: number(1, 120)
    .optional()
    .describe(
      'Most frames per second, 1–120; a source that has fewer keeps them. Default: those of the source',
    ),
  ...cutFields,
  mute: looseBoolean(false).optional().describe('`true` leaves the sound out'),
  audio: tracksField
    .default('first')
    .describe(
      'Which tracks of sound: `first`, `all`, a language code such as `en`, or the number of a track, 1–16. More than two channels become stereo. Default: first',
    ),
  subtitles: z
    .enum(['drop', 'keep', 'burn'])
    .default('drop')
    .describe(
      '`keep` gives each track of text as a WebVTT file beside the video, at most 8; `burn` draws one track into the picture',
    ),
  subtitleTrack: trackField
    .optional()
    .describe('Which track to burn: `first` (default), a language code such as `en`, or its number, 1–16'),
  effort: z
    .enum(['fast', 'balanced', 'small'])
    .default('balanced')
    .describe(
      'Time against bytes: `fast` takes about half as long as `balanced`, `small` about twice as long',
    ),
  hardware: z
    .enum(HARDWARE_WORDS)
    .default('off')
    .describe(
      'Hardware that encodes, where the server has it: `auto` takes what works, else software; a name insists on it. Quicker, larger files',
    ),
  encode: z
    .enum(['auto', 'always'])
    .default('auto')
    .describe('`auto` copies streams that are web-ready already, at once and without loss; `always` encodes'),
};

type Fields = z.output<z.ZodObject<typeof transcodeFields>>;

/** Checks that go across fields. */
export function checkTranscode(params: Fields, context: z.core.$RefinementCtx): void {
  checkBox(params, context);
  const { format, quality, crf, start, end, mute, audio, subtitles, subtitleTrack } = params;
  const wrong = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  const codec = codecOf(params);
  if (!CODECS[format].includes(codec)) {
    wrong('codec', `${format} can hold ${CODECS[format].join(', ')}; ${codec} needs another format`);
  }
  if (quality !== undefined && crf !== undefined) wrong('crf', 'give either quality or crf, not both');
  const { max } = crfBounds(codec);
  if ((crf ?? 0) > max) wrong('crf', `crf of ${codecName(codec)} is 1–${max}, not ${crf}`);
  checkCut({ start, end }, context);
  if (mute === true && audio !== 'first') wrong('audio', 'a muted video has no tracks to choose from');
  if (subtitleTrack !== undefined && subtitles !== 'burn') {
    wrong('subtitleTrack', 'it says which track to burn: give subtitles "burn" too');
  }
}

/** The codec that is meant. */
export function codecOf({ format, codec }: Pick<Fields, 'format' | 'codec'>): PictureCodec {
  return codec ?? CODECS[format][0];
}

export const transcodeParams = z
  .strictObject({
    type: z.literal('transcode').describe('Names the operation'),
    ...transcodeFields,
    watermark: watermarkFields
      .optional()
      .describe('A picture laid over the video, the same from its beginning to its end'),
  })
  .superRefine(checkTranscode);
export type TranscodeParams = z.output<typeof transcodeParams>;
