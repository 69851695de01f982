// concat: several videos one after the other, as one MP4 or WebM. All are brought to one size, rate and kind of sound.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import { mainAudio, mainVideo } from '../media-probe.ts';
import type { OutputPart, Source, StreamPart, VideoOperation } from '../video-operation.ts';
import { NO_FINDINGS } from './analysis.ts';
import { aac, opus, pictureOptions } from './encoders.ts';
import { maxBytes } from './expectations.ts';
import { integer } from './fields.ts';
import { frameDecisions, frameQuestions } from './frames.ts';
import { fitInto, shownSize } from './geometry.ts';
import { joinGraph, joint, rateOf } from './join.ts';
import type { Clip } from './join.ts';
import { checkTranscode, codecOf, transcodeFields } from './transcode-fields.ts';

const { format, codec, width, height, fit, crf, maxBitrate, effort } = transcodeFields;

const params = z
  .strictObject({
    type: z.literal('concat').describe('Names the operation'),
    with: z
      .array(
        z
          .string()
          .max(80)
          .regex(/^upload:[A-Za-z0-9_-]{1,64}$/, 'write upload: and the id of an upload'),
      )
      .min(1)
      .max(20)
      .describe(
        'The videos that follow the source, in this order: 1–20 of `upload:{id}`. One may be there more than once',
      ),
    format,
    codec,
    width,
    height,
    fit: fit.describe(
      'How the first video fits the box: `inside` keeps all of the picture, `cover` fills the box and cuts off what stands out, `contain` adds black bars. The last two need both sides. The others always get bars',
    ),
    quality: integer(1, 100)
      .optional()
      .describe('1 (smallest) to 100 (best). Default 75. Not together with crf'),
    crf,
    maxBitrate,
    effort,
  })
  .superRefine((asked, context) =>
    checkTranscode(
      { ...asked, audio: 'first', subtitles: 'drop', hardware: 'off', encode: 'always' },
      context,
    ),
  );
type Params = z.output<typeof params>;

export const concat: VideoOperation<typeof params> = {
  name: 'concat',
  summary: 'Joins the source and other videos to one MP4 or WebM, whatever their sizes and rates.',
  params,
  examples: [
    {
      shows: 'the source and two uploads after it, at most 720 lines high',
      params: { type: 'concat', with: ['upload:clip', 'upload:clip'], height: 720 },
    },
    {
      shows: 'the same as WebM in a square',
      params: {
        type: 'concat',
        with: ['upload:clip'],
        format: 'webm',
        width: 480,
        height: 480,
        fit: 'contain',
      },
    },
  ],
  assets: (asked) => [...new Set(asked.with)],
  analyses: (_, source) => frameQuestions(source),
  plan,
};

function plan(asked: Params, source: Source): OutputPart {
  const sources = [source, ...asked.with.map((reference) => assetSource(reference, source))];
  const first = shownOf(source, 'The source');
  const size = fitInto(shownSize(first), asked);
  const fps = rateOf(first);
  const clips: readonly Clip[] = sources.map((each, index) => {
    const video = shownOf(each, asked.with[index - 1] ?? 'The source');
    // The first has the say; what it shows may be cut. The others are shown whole.
    return joint(each, video, index === 0 ? size.scaled : null, size.final, fps);
  });
  const hasSound = clips.some(({ audio }) => audio !== null);
  const wanted = codecOf(asked);
  const picture = pictureOptions({ ...asked, codec: wanted });
  const sound = hasSound ? (asked.format === 'mp4' ? aac : opus)({ channels: 2 }) : null;
  const lengths = clips.map(({ seconds }) => seconds);
  const exact = lengths.every((seconds) => seconds !== null);
  const seconds = exact ? lengths.reduce((sum, length) => sum + length, 0) : null;
  const streams: StreamPart[] = [
    { kind: 'frames', take: { from: 'graph', label: '[v]' }, options: picture.options },
    ...(sound === null
      ? []
      : [{ kind: 'sound', take: { from: 'graph', label: '[a]' }, options: sound.options } as const]),
  ];
  return {
    pieces: [
      {
        file: `video.${asked.format}`,
        mediaType: `video/${asked.format}`,
        streams,
        muxer: asked.format === 'mp4' ? ['-movflags', '+faststart', '-f', 'mp4'] : ['-f', 'webm'],
        expects: {
          kind: 'clip',
          video: { codec: wanted, size: size.final },
          audio: sound === null ? null : { codec: sound.codec },
          durationSeconds: seconds,
          durationIsExact: exact,
        },
        maxBytes: clips.reduce(
          (sum, clip) => sum + maxBytes(clip.source.probe, clip.seconds, size.final, fps.value),
          0,
        ),
      },
    ],
    own: {
      inputs: ['source', ...asked.with].map((from) => ({ from, seek: 0, seconds: null })),
      graph: joinGraph(clips, size, fps, hasSound),
    },
    window: { start: 0, end: null },
    encoders: [picture.encoder, ...(sound === null ? [] : [sound.encoder])],
    decisions: decisionsOf(clips, size.final, fps.text, hasSound),
  };
}

/** An asset as a source of its own. What was found out of the job's source does not hold for it. */
function assetSource(reference: string, source: Source): Source {
  const asset = source.assets.get(reference);
  if (asset === undefined) throw new Error('a join was planned without its files');
  const { probe, mediaType } = asset;
  if (mediaType.startsWith('image/') && mediaType !== 'image/gif') {
    throw new Problem('recipe_invalid', `${reference} is ${mediaType}. Only videos and GIFs can be joined.`);
  }
  return {
    ...source,
    probe,
    mediaType,
    video: mainVideo(probe),
    audio: mainAudio(probe),
    findings: NO_FINDINGS,
  };
}

function shownOf({ video }: Source, name: string): NonNullable<Source['video']> {
  if (video !== null) return video;
  throw new Problem(
    'stream_missing',
    `${name} has no video stream, so it cannot be joined. Send videos only.`,
  );
}

function decisionsOf(
  clips: readonly Clip[],
  { width: across, height: down }: { readonly width: number; readonly height: number },
  rate: string,
  hasSound: boolean,
): string[] {
  const mute = clips.filter(({ audio }) => audio === null).length;
  const frames = new Set(clips.flatMap(({ source, video }) => frameDecisions(source, video)));
  return [
    `${clips.length} videos joined at the size and rate of the first: ${across}×${down}, ${rate} frames per second`,
    ...(hasSound ? ['sound encoded as 48 kHz stereo'] : ['no sound: no source has any']),
    ...(hasSound && mute > 0 ? [`${mute} without sound got silence`] : []),
    ...frames,
  ];
}
