// Parameters of hls.

import { z } from 'zod';
import { looseBoolean } from '../../../lib/loose-scalar.ts';
import { checkCut, cutFields } from '../cut.ts';
import { integer, number } from '../fields.ts';
import { HARDWARE_WORDS } from '../hardware.ts';
import { tracksField } from '../tracks.ts';

const MOST_RUNGS = 8;

export const hlsParams = z
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
    encode: z
      .enum(['auto', 'always'])
      .default('auto')
      .describe(
        '`auto` copies the picture where one rung of the size of the source is wanted and it is web-ready, with a keyframe every few seconds; `always` encodes',
      ),
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
export type HlsParams = z.output<typeof hlsParams>;
