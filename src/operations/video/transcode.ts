// transcode: the whole video (or a part of it) as MP4 or WebM that plays everywhere.

import { z } from 'zod';
import { Problem } from '../../problems.ts';
import type { AudioStream, VideoStream } from '../media-probe.ts';
import type { OutputPart, Size, Source, StreamPart, VideoOperation, Window } from '../video-operation.ts';
import { audioVerdict, videoVerdict } from './copy-rules.ts';
import type { CopyWish } from './copy-rules.ts';
import { looseBoolean } from '../../lib/loose-scalar.ts';
import { aac, h264, opus, vp9 } from './encoders.ts';
import { expectedSeconds, maxBytes } from './expectations.ts';
import { box, checkBox, integer, MAX_SECONDS, number } from './fields.ts';
import { boxing, frameDecisions } from './frames.ts';
import { fitInto, shownSize } from './geometry.ts';
import type { Fitted } from './geometry.ts';

export const transcodeFields = {
  format: z
    .enum(['mp4', 'webm'])
    .default('mp4')
    .describe('`mp4` is H.264 with AAC and plays everywhere; `webm` is VP9 with Opus'),
  ...box,
  quality: integer(1, 100)
    .optional()
    .describe('1 (smallest) to 100 (best). Default 75. Asking for one always encodes. Not together with crf'),
  crf: integer(1, 63)
    .optional()
    .describe(
      "The encoder's own scale, lower is better: 1–51 for mp4, 1–63 for webm. Not together with quality",
    ),
  maxBitrate: integer(50, 200_000)
    .optional()
    .describe('Most kilobits per second of the picture, 50–200000. Default: as many as the quality takes'),
  fps: number(1, 120)
    .optional()
    .describe(
      'Most frames per second, 1–120; a source that has fewer keeps them. Default: those of the source',
    ),
  start: number(0, MAX_SECONDS)
    .optional()
    .describe('Cut: seconds of the source to begin at, 0–604800. Default: its beginning'),
  end: number(0.04, MAX_SECONDS)
    .optional()
    .describe('Cut: seconds of the source to end at, 0.04–604800, after start. Default: its end'),
  mute: looseBoolean(false).optional().describe('`true` leaves the sound out'),
  effort: z
    .enum(['fast', 'balanced', 'small'])
    .default('balanced')
    .describe(
      'Time against bytes: `fast` takes about half as long as `balanced`, `small` about twice as long',
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
  const { format, quality, crf, start, end } = params;
  const wrong = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  if (quality !== undefined && crf !== undefined) wrong('crf', 'give either quality or crf, not both');
  if (format === 'mp4' && (crf ?? 0) > 51) wrong('crf', `crf of mp4 is 1–51; ${crf} is for webm only`);
  if (end !== undefined && end <= (start ?? 0)) {
    wrong('end', `end must come after start, which is ${start ?? 0}`);
  }
}

const params = z
  .strictObject({ type: z.literal('transcode').describe('Names the operation'), ...transcodeFields })
  .superRefine(checkTranscode);
type Params = z.output<typeof params>;

export const transcode: VideoOperation<typeof params> = {
  name: 'transcode',
  summary: 'Makes an MP4 or WebM that plays everywhere; what is web-ready already is copied.',
  params,
  examples: [
    {
      shows: 'an MP4 of at most 720 lines',
      params: { type: 'transcode', height: 720 },
      query: 'height=720',
    },
    {
      shows: 'a square WebM, cut to fit',
      params: { type: 'transcode', format: 'webm', width: 480, height: 480, fit: 'cover' },
      query: 'format=webm&width=480&height=480&fit=cover',
    },
    {
      shows: 'ten silent seconds of it at 24 frames per second',
      params: { type: 'transcode', start: 5, end: 15, mute: true, fps: 24 },
      query: 'start=5&end=15&mute=true&fps=24',
    },
    {
      shows: 'a small file for slow lines',
      params: { type: 'transcode', width: 640, quality: 60, maxBitrate: 800, effort: 'small' },
      query: 'width=640&quality=60&maxBitrate=800&effort=small',
    },
  ],
  plan,
};

function plan(asked: Params, source: Source): OutputPart {
  const { video, probe } = source;
  if (video === null) {
    throw new Problem(
      'stream_missing',
      'The source has no video stream, so there is nothing to transcode. Send a video.',
    );
  }
  const fitted = fitInto(shownSize(video), asked);
  const window: Window = { start: asked.start ?? 0, end: asked.end ?? null };
  const wish: CopyWish = {
    format: asked.format,
    encode: asked.encode,
    final: fitted.final,
    quality: asked.quality !== undefined || asked.crf !== undefined,
    maxBitrate: asked.maxBitrate ?? null,
    fps: frameRate(asked, source, video),
    trimmed: window.start > 0 || window.end !== null,
  };
  checkWindow(window, source);
  const picture = picturePart(asked, source, video, fitted, wish);
  const sound = soundPart(asked, source, wish);
  const duration = expectedSeconds(probe, window, [video, ...(sound === null ? [] : [sound.from])]);
  return {
    extension: asked.format,
    mediaType: `video/${asked.format}`,
    streams: [picture.part, ...(sound === null ? [] : [sound.part])],
    muxer: asked.format === 'mp4' ? ['-movflags', '+faststart', '-f', 'mp4'] : ['-f', 'webm'],
    window,
    expects: {
      kind: 'clip',
      video: { codec: asked.format === 'mp4' ? 'h264' : 'vp9', size: picture.size },
      audio: sound === null ? null : { codec: sound.codec },
      durationSeconds: duration.seconds,
      durationIsExact: duration.exact,
    },
    maxBytes: maxBytes(probe, duration.seconds, fitted.final, wish.fps ?? video.fps),
    encoders: [...picture.encoders, ...(sound?.encoders ?? [])],
    decisions: [...picture.decisions, ...soundDecisions(asked, source, sound)],
  };
}

interface Picture {
  readonly part: StreamPart;
  readonly size: Size;
  readonly encoders: readonly string[];
  readonly decisions: readonly string[];
}

function picturePart(
  asked: Params,
  source: Source,
  video: VideoStream,
  { scaled, final }: Fitted,
  wish: CopyWish,
): Picture {
  const verdict = videoVerdict(source.probe, wish);
  if (verdict.copy && source.mayCopy) {
    // Camcorders write the place of the recording into H.264's SEI messages; nothing of them is needed to play it.
    const clean = asked.format === 'mp4' ? { bsf: 'filter_units=remove_types=6' } : {};
    return {
      part: { kind: 'video', source: video.index, options: { c: 'copy', ...clean }, filters: [] },
      size: shownSize(video),
      encoders: [],
      decisions: [`picture copied: ${verdict.why}`],
    };
  }
  const why = verdict.copy ? 'a copy of it did not pass its check' : verdict.why;
  const shown = shownSize(video);
  const wider = asked.width !== undefined && asked.width > shown.width;
  const higher = asked.height !== undefined && asked.height > shown.height;
  return {
    part: {
      kind: 'frames',
      take: { from: 'picture', size: scaled, fps: wish.fps, filters: boxing(scaled, final) },
      options: asked.format === 'mp4' ? h264(asked) : vp9(asked),
    },
    size: final,
    encoders: [asked.format === 'mp4' ? 'libx264' : 'libvpx-vp9'],
    decisions: [
      `picture encoded: ${why}`,
      ...(wider || higher ? [`not enlarged: the source is ${shown.width}×${shown.height}`] : []),
      ...frameDecisions(source, video),
    ],
  };
}

interface Sound {
  readonly part: StreamPart;
  readonly from: AudioStream;
  readonly codec: string;
  readonly encoders: readonly string[];
  readonly decision: string;
}

function soundPart(asked: Params, source: Source, wish: CopyWish): Sound | null {
  const { audio } = source;
  if (audio === null || asked.mute === true) return null;
  const verdict = audioVerdict(source.probe, wish);
  if (verdict.copy && source.mayCopy) {
    return {
      part: { kind: 'audio', source: audio.index, options: { c: 'copy' }, filters: [] },
      from: audio,
      codec: audio.codec,
      encoders: [],
      decision: `sound copied: ${verdict.why}`,
    };
  }
  const encoding = asked.format === 'mp4' ? aac(audio) : opus(audio);
  const why = verdict.copy ? 'a copy of it did not pass its check' : verdict.why;
  return {
    part: {
      kind: 'audio',
      source: audio.index,
      options: encoding.options,
      // Holes are filled with silence, and it begins where the picture does: else it drifts away from it.
      filters: ['aresample=async=1:first_pts=0'],
    },
    from: audio,
    codec: encoding.codec,
    encoders: [encoding.encoder],
    decision: `sound encoded to ${encoding.name}: ${why}`,
  };
}

function soundDecisions(asked: Params, { audio }: Source, sound: Sound | null): string[] {
  if (sound !== null) return [sound.decision];
  return [
    audio === null
      ? 'no sound: the source has none'
      : `no sound: ${asked.mute === true ? 'mute was asked for' : 'none'}`,
  ];
}

/** The rate to force, or null for the source's own. */
function frameRate(asked: Params, { probe }: Source, video: VideoStream): number | null {
  const cap = asked.fps ?? Infinity;
  // A GIF shows each frame for as long as it likes; players of video expect a beat. At most ten frames are made of one:
  // two that stay for ten minutes each must not become a hundred thousand.
  if (probe.container === 'gif') {
    const mean = video.fps ?? 10;
    return Math.min(cap, 50, video.baseFps ?? mean, 10 * mean);
  }
  return (video.fps ?? 0) > cap * 1.001 ? cap : null;
}

function checkWindow({ start }: Window, { probe }: Source): void {
  const { durationSeconds } = probe;
  if (durationSeconds !== null && start >= durationSeconds) {
    throw new Problem(
      'invalid_request',
      `start is ${start} s, but the source is ${durationSeconds.toFixed(1)} s long. Start before its end.`,
    );
  }
}
