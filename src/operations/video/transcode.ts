// transcode: the whole video (or a part of it) as MP4 or WebM that plays everywhere.

import { Problem } from '../../problems.ts';
import type { VideoStream } from '../media-probe.ts';
import type { OutputPart, Source, VideoOperation } from '../video-operation.ts';
import { checkStart, cutDecisions, wholeOf } from './cut.ts';
import { expectedSeconds, maxBytes } from './expectations.ts';
import { frameQuestions } from './frames.ts';
import { picturePart, pictureTask, qualityAnalysis } from './picture.ts';
import { soundParts } from './sound.ts';
import { keptSubtitles } from './subtitles.ts';
import { transcodeParams } from './transcode-fields.ts';
import type { TranscodeParams } from './transcode-fields.ts';

export const transcode: VideoOperation<typeof transcodeParams> = {
  name: 'transcode',
  summary: 'Makes an MP4 or WebM that plays everywhere; what is web-ready already is copied.',
  params: transcodeParams,
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
    {
      shows: 'AV1 that looks like the source, in as few bytes as that takes',
      params: { type: 'transcode', codec: 'av1', quality: 'high' },
      query: 'codec=av1&quality=high',
    },
    {
      shows: 'all tracks of sound, and the subtitles as files beside it',
      params: { type: 'transcode', audio: 'all', subtitles: 'keep' },
      query: 'audio=all&subtitles=keep',
    },
    {
      shows: 'a mark in the lower right corner, a fifth as wide as the video',
      params: {
        type: 'transcode',
        watermark: { image: 'upload:logo', gravity: 'southeast', width: 0.2, opacity: 0.8 },
      },
      query: 'watermark=southeast,0.2,0.8,upload:logo',
    },
  ],
  assets: ({ watermark }) => (watermark === undefined ? [] : [watermark.image]),
  analyses(asked, source) {
    const { video } = source;
    if (video === null) return [];
    const quality = qualityAnalysis(pictureTask(asked, source, video));
    return [...frameQuestions(source), ...(quality === null ? [] : [quality])];
  },
  plan,
};

function plan(asked: TranscodeParams, source: Source): OutputPart {
  const { probe } = source;
  const video = pictureOf(source);
  const task = pictureTask(asked, source, video);
  const { window, whole, fitted, wish } = task;
  checkStart(window, wholeOf(probe, video, []));
  const picture = picturePart(task);
  const sound = soundParts(asked, source, wish);
  const duration = expectedSeconds(probe, window, [video, ...sound.from]);
  const kept =
    asked.subtitles === 'keep' ? keptSubtitles(source, window) : { pieces: [], encoders: [], decisions: [] };
  return {
    pieces: [
      {
        file: `video.${asked.format}`,
        mediaType: `video/${asked.format}`,
        streams: [picture.part, ...sound.parts],
        muxer: asked.format === 'mp4' ? ['-movflags', '+faststart', '-f', 'mp4'] : ['-f', 'webm'],
        ...(picture.global.length > 0 && { global: picture.global }),
        expects: {
          kind: 'clip',
          video: { codec: wish.codec, size: picture.size },
          audio: sound.codec === null ? null : { codec: sound.codec },
          durationSeconds: duration.seconds,
          durationIsExact: duration.exact,
        },
        maxBytes: maxBytes(probe, duration.seconds, fitted.final, wish.fps ?? video.fps),
      },
      ...kept.pieces,
    ],
    ...(picture.preparation.length > 0 && { preparation: picture.preparation }),
    window,
    encoders: [...new Set([...picture.encoders, ...sound.encoders, ...kept.encoders])],
    decisions: [...picture.decisions, ...sound.decisions, ...kept.decisions, ...cutDecisions(asked, whole)],
  };
}

function pictureOf({ video, audio }: Source): VideoStream {
  if (video !== null) return video;
  throw new Problem(
    'stream_missing',
    audio === null
      ? 'The source has no video stream, so there is nothing to transcode. Send a video.'
      : 'The source has sound but no video stream. For its sound ask for an output of type "audio".',
  );
}
