// preview: a short silent loop from several moments of the video. Only those seconds are decoded.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import type { VideoStream } from '../media-probe.ts';
import type {
  Expectation,
  OutputPart,
  PartInput,
  Size,
  Source,
  StreamOptions,
  VideoOperation,
} from '../video-operation.ts';
import { pictureOptions } from './encoders.ts';
import { expectedSeconds } from './expectations.ts';
import { integer, number } from './fields.ts';
import { colourOptions, frameDecisions, frameQuestions, toFrames } from './frames.ts';
import { fitInto, shownSize } from './geometry.ts';
import { seekFor } from './seeking.ts';

const MOST_SECONDS = 30;

const params = z
  .strictObject({
    type: z.literal('preview').describe('Names the operation'),
    moments: integer(1, 20).default(5).describe('From so many moments of the video, 1–20. Default: 5'),
    secondsEach: number(0.5, 5)
      .default(1)
      .describe(
        'Seconds of each, 0.5–5; all together at most 30. A shorter video is taken whole. Default: 1',
      ),
    width: integer(32, 640)
      .default(320)
      .describe('Width in pixels, 32–640; the height follows. Default: 320'),
    fps: integer(1, 30).default(12).describe('Most frames per second, 1–30. Default: 12'),
    format: z
      .enum(['webp', 'gif', 'mp4'])
      .default('webp')
      .describe(
        '`webp` and `gif` play in an `<img>`, `gif` also in old mail programs; `mp4` is smallest and silent',
      ),
    loop: looseBoolean(true)
      .optional()
      .describe('`false`: webp and gif stop at the end. An mp4 loops as its player says'),
    quality: integer(1, 100).optional().describe('1 (smallest) to 100 (best) for webp and mp4. Default 60'),
  })
  .superRefine(({ moments, secondsEach }, context) => {
    if (moments * secondsEach <= MOST_SECONDS) return;
    context.addIssue({
      code: 'custom',
      path: ['secondsEach'],
      message: `moments × secondsEach is at most ${MOST_SECONDS}; ${moments} × ${secondsEach} is more`,
    });
  });
type Params = z.output<typeof params>;

export const preview: VideoOperation<typeof params> = {
  name: 'preview',
  summary: 'Makes a short silent loop from several moments of the video.',
  params,
  examples: [
    { shows: 'five seconds from all over the video, as animated WebP', params: { type: 'preview' } },
    {
      shows: 'a GIF of three moments that stops at its end',
      params: { type: 'preview', moments: 3, secondsEach: 1.5, width: 240, format: 'gif', loop: false },
    },
  ],
  analyses: (_, source) => frameQuestions(source),
  plan,
};

/** Frames that a decoder keeps at once, and what all decoders of a run may keep: each moment has one of its own. */
const FRAMES_KEPT = 20;
const DECODERS_BYTES = 1_500_000_000;
/** GIF: one palette for all frames needs them all in memory first. */
const PALETTE_BYTES = 256_000_000;

function plan(asked: Params, source: Source): OutputPart {
  const { video } = source;
  if (video === null) {
    throw new Problem('stream_missing', 'The source has no video stream to make a preview of. Send a video.');
  }
  const size = fitInto(shownSize(video), { width: asked.width, fit: 'inside' }).final;
  const cut = cutsOf(asked, source, video);
  const slower = video.fps !== null && video.fps < asked.fps;
  const fps = slower ? (video.fps ?? asked.fps) : asked.fps;
  const output = outputOf(asked, source, video, size, cut.seconds * fps);
  // Of one stretch the last frame is kept, however short it is shown: it may be the only one.
  const rate = cut.inputs.length === 1 ? `${fps}:eof_action=pass` : fps;
  const branches = cut.inputs.map(({ skip }, index) => {
    // Each begins at its own first frame: joined, they follow one another without a gap.
    const begin = skip > 0 ? [`trim=start=${skip.toFixed(3)}`] : [];
    const filters = [
      ...begin,
      'setpts=PTS-STARTPTS',
      ...toFrames(source, video, size, rate),
      'setpts=PTS-STARTPTS',
    ];
    return `[${index}:${video.index}]${filters.join(',')}[m${index}]`;
  });
  const joined = `${cut.inputs.map((_, index) => `[m${index}]`).join('')}concat=n=${cut.inputs.length}:v=1:a=0`;
  return {
    pieces: [
      {
        file: `preview.${asked.format}`,
        mediaType: output.mediaType,
        streams: [{ kind: 'frames', take: { from: 'graph', label: '[v]' }, options: output.options }],
        muxer: output.muxer,
        expects: {
          kind: output.kind,
          video: { codec: output.codec, size },
          audio: null,
          durationSeconds: cut.known ? cut.seconds : null,
          durationIsExact: false,
        },
        maxBytes: 2_000_000 + Math.ceil(cut.seconds * fps * size.width * size.height * 3),
      },
    ],
    own: {
      inputs: cut.inputs.map(({ skip: _skip, ...input }) => input),
      graph: `${branches.join(';')};${joined}${output.tail}`,
    },
    window: { start: 0, end: null },
    encoders: [output.encoder],
    decisions: [...cut.decisions, ...output.decisions, ...frameDecisions(source, video)],
  };
}

interface Cuts {
  /** `skip`: seconds of each that come before its moment. */
  readonly inputs: readonly (PartInput & { readonly skip: number })[];
  /** Of the preview. */
  readonly seconds: number;
  readonly known: boolean;
  readonly decisions: readonly string[];
}

/** Each moment is the middle of an equal part of the video. */
function cutsOf({ moments, secondsEach }: Params, { probe }: Source, video: VideoStream): Cuts {
  const length = expectedSeconds(probe, { start: 0, end: null }, [video]).seconds;
  const whole = moments * secondsEach;
  if (length === null || length <= whole) {
    return {
      inputs: [{ from: 'source', seek: 0, seconds: length === null ? whole : null, skip: 0 }],
      seconds: length ?? whole,
      known: length !== null,
      decisions: [
        length === null
          ? 'taken from the beginning: the source does not say how long it is'
          : 'the whole video: it is no longer than the preview may be',
      ],
    };
  }
  const most = Math.max(1, Math.floor(DECODERS_BYTES / (video.width * video.height * 1.5 * FRAMES_KEPT)));
  const count = Math.min(moments, most);
  const inputs = Array.from({ length: count }, (_, index) => {
    const middle = ((index + 0.5) / count) * length;
    const wanted = Math.min(Math.max(0, middle - secondsEach / 2), length - secondsEach);
    const at = Math.round(wanted * 1000) / 1000;
    const seek = seekFor(probe, at);
    return { from: 'source', seek, seconds: secondsEach + at - seek, skip: at - seek };
  });
  return {
    inputs,
    seconds: count * secondsEach,
    known: true,
    decisions: [
      `${count} × ${secondsEach} s, each reached by a seek: nothing between them is decoded`,
      ...(count < moments
        ? [`${count} moments instead of ${moments}: frames of that size need much memory`]
        : []),
    ],
  };
}

interface Output {
  readonly kind: Expectation['kind'];
  readonly codec: string;
  readonly encoder: string;
  readonly mediaType: string;
  readonly options: StreamOptions;
  readonly muxer: readonly string[];
  /** From the joined frames to `[v]`. */
  readonly tail: string;
  readonly decisions: readonly string[];
}

function outputOf(asked: Params, source: Source, video: VideoStream, size: Size, frames: number): Output {
  const { format, quality = 60, loop = true } = asked;
  if (format === 'mp4') {
    const { encoder, options } = pictureOptions({ codec: 'h264', quality, effort: 'balanced' });
    return {
      kind: 'clip',
      codec: 'h264',
      encoder,
      mediaType: 'video/mp4',
      options: { ...options, ...colourOptions(source, video) },
      muxer: ['-movflags', '+faststart', '-f', 'mp4'],
      tail: '[v]',
      decisions: [],
    };
  }
  if (format === 'gif') {
    const fits = frames * size.width * size.height * 1.5 <= PALETTE_BYTES;
    // Not `diff`: it counts the frame before each change, so that a last scene without movement is left out.
    const [stats, use] = fits
      ? ['full', 'dither=bayer:bayer_scale=3']
      : ['single', 'dither=bayer:bayer_scale=3:new=1'];
    return {
      kind: 'clip',
      codec: 'gif',
      encoder: 'gif',
      mediaType: 'image/gif',
      options: { c: 'gif' },
      muxer: ['-loop', loop ? '0' : '-1', '-f', 'gif'],
      tail: `,split[f][p];[p]palettegen=stats_mode=${stats}[c];[f][c]paletteuse=${use}[v]`,
      decisions: [
        fits ? 'one palette of 256 colours for all frames' : 'a palette of 256 colours for each frame',
      ],
    };
  }
  return {
    // FFmpeg cannot read what it writes here: the file is judged by its header.
    kind: 'data',
    codec: 'webp',
    encoder: 'libwebp_anim',
    mediaType: 'image/webp',
    options: { c: 'libwebp_anim', quality: `${quality}`, compression_level: '4' },
    muxer: ['-loop', loop ? '0' : '1', '-f', 'webp'],
    tail: '[v]',
    decisions: [],
  };
}
