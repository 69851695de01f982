// hls: a ladder for adaptive streaming, in CMAF segments that HLS and DASH share; it can be watched while it is made.

import { Problem } from '../../problems.ts';
import type { AudioStream, VideoStream } from '../media-probe.ts';
import type { OutputPart, Source, VideoOperation } from '../video-operation.ts';
import { checkStart, cutDecisions, wholeOf, windowOf } from './cut.ts';
import { expectedSeconds } from './expectations.ts';
import { frameDecisions, frameQuestions } from './frames.ts';
import { shownSize } from './geometry.ts';
import { chooseHardware } from './hardware.ts';
import { keyframesQuestion, mayCopyPicture } from './hls/copying.ts';
import { evenRate } from './hls/even-rate.ts';
import type { EvenRate } from './hls/even-rate.ts';
import { ladderFor } from './hls/ladder.ts';
import type { LadderWish } from './hls/ladder.ts';
import { hlsParams } from './hls/params.ts';
import type { HlsParams } from './hls/params.ts';
import { encodingOf, nameOf, picturePiece, soundPiece } from './hls/pieces.ts';
import { keptSubtitles } from './subtitles.ts';
import { chooseTracks } from './tracks.ts';

export const hls: VideoOperation<typeof hlsParams> = {
  name: 'hls',
  summary: 'Makes a ladder of renditions for adaptive streaming, which can be watched while it is made.',
  params: hlsParams,
  examples: [
    { shows: 'a ladder chosen from the source', params: { type: 'hls' } },
    {
      shows: 'three rungs, with a DASH manifest over the same segments',
      params: { type: 'hls', heights: [1080, 720, 480], dash: true },
    },
  ],
  analyses(asked, source) {
    const { video } = source;
    if (video === null) return [];
    const rate = evenRate(asked.fps ?? null, source.probe, video);
    // Several rungs are encoded whatever the answer.
    const { rungs } = ladderFor(ladderWish(asked, video, rate));
    const keyframes = rungs.length === 1 ? keyframesQuestion(asked, video) : null;
    return [...frameQuestions(source), ...(keyframes === null ? [] : [keyframes])];
  },
  plan,
};

/** A keyframe at least so often: for seeking, and for changing rungs within a segment. */
const GOP_SECONDS = 2;
const KBPS_OF_CHANNEL = 64;
const NO_SUBTITLES = { pieces: [], encoders: [], decisions: [] };

function ladderWish({ codec, heights }: HlsParams, video: VideoStream, { fps }: EvenRate): LadderWish {
  return {
    shown: shownSize(video),
    fps,
    sourceKbps: video.bitRate === null ? null : video.bitRate / 1000,
    codec,
    ...(heights && { heights }),
  };
}

function plan(asked: HlsParams, source: Source): OutputPart {
  const { video, probe } = source;
  if (video === null) {
    throw new Problem(
      'stream_missing',
      'The source has no video stream, so there is nothing to stream. Use an output of type "audio".',
    );
  }
  const sounds = asked.mute === true ? [] : chooseTracks(probe, asked.audio);
  const whole = wholeOf(probe, video, sounds);
  const window = windowOf(asked, whole);
  checkStart(window, wholeOf(probe, video, []));
  const rate = evenRate(asked.fps ?? null, probe, video);
  const wish = ladderWish(asked, video, rate);
  const { rungs, decisions } = ladderFor(wish);
  const duration = expectedSeconds(probe, window, [video, ...sounds]);
  const texts = asked.subtitles === 'keep' ? keptSubtitles(source, window) : NO_SUBTITLES;
  const { hardware, decisions: ofHardware } = chooseHardware(asked.hardware, asked.codec, source);
  const gopsEach = Math.max(1, Math.round(asked.segmentSeconds / GOP_SECONDS));
  const gop = Math.max(1, Math.round((asked.segmentSeconds / gopsEach) * rate.fps));
  const copying = mayCopyPicture(asked, source, video, { rungs, rate, window });
  const place = {
    asked,
    source,
    video,
    hardware,
    rate,
    gop,
    seconds: duration.seconds,
    exact: duration.exact,
    copy: copying.copy,
  };
  return {
    pieces: [
      ...rungs.map((rung) => picturePiece(place, rung)),
      ...sounds.map((sound, index) => soundPiece(place, sound, nameOf(index))),
      ...texts.pieces,
    ],
    finish: {
      type: 'hls',
      // Segments end at the first keyframe after their time.
      targetSeconds: Math.ceil(copying.longestSeconds ?? (gop * gopsEach) / rate.fps),
      fps: rate.fps,
      rungs,
      sounds: sounds.map(({ language, channels }, index) => ({
        name: nameOf(index),
        language,
        channels: Math.min(2, channels),
        kbps: kbpsOf(channels),
      })),
      subtitles: texts.pieces.map(({ file, streams: [stream] }) => ({
        name: file.replace(/\.vtt$/, ''),
        language:
          probe.subtitles.find(
            ({ index }) => stream !== undefined && 'source' in stream && index === stream.source,
          )?.language ?? null,
      })),
      dash: asked.dash === true,
    },
    window,
    encoders: [
      ...new Set(
        hardware === null && !copying.copy ? rungs.map((rung) => encodingOf(place, rung).encoder) : [],
      ),
      ...(sounds.length === 0 ? [] : ['aac']),
      ...texts.encoders,
    ],
    decisions: [
      // Of a copied picture no bitrate is held back.
      ...(copying.copy ? ladderFor({ ...wish, sourceKbps: null }).decisions : decisions),
      ...copying.decisions,
      ...(copying.copy ? [] : [...rate.decisions, ...ofHardware, ...frameDecisions(source, video)]),
      soundDecision(asked, sounds),
      ...(probe.subtitles.length === 0 ? [] : texts.decisions),
      ...cutDecisions(asked, whole),
    ],
  };
}

const kbpsOf = (channels: number): number => KBPS_OF_CHANNEL * Math.min(2, channels);

function soundDecision({ mute }: HlsParams, sounds: readonly AudioStream[]): string {
  if (sounds.length === 0) return `no sound: ${mute === true ? 'mute was asked for' : 'the source has none'}`;
  const rates = [...new Set(sounds.map(({ channels }) => kbpsOf(channels)))].toSorted((a, b) => a - b);
  const tracks = sounds.length === 1 ? '1 track' : `${sounds.length} tracks`;
  return `sound: ${tracks} as AAC ${rates.join(' and ')} kb/s`;
}
