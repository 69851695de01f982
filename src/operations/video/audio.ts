// audio: the sound of a source as a file of its own, at a loudness if that is asked for.

import { z } from 'zod';
import { checkCut, checkStart, cutDecisions, cutFields, wholeOf, windowOf } from './cut.ts';
import type { Whole } from './cut.ts';
import { Problem } from '../../problems.ts';
import { looseNumber } from '../../lib/loose-scalar.ts';
import type { AudioStream } from '../media-probe.ts';
import type { OutputPart, Source, StreamPart, VideoOperation, Window } from '../video-operation.ts';
import { SOUND_FORMATS, SOUND_RATES, soundReasons, soundSettings } from './audio-formats.ts';
import type { SoundWish } from './audio-formats.ts';
import { expectedSeconds } from './expectations.ts';
import { integer } from './fields.ts';
import { DEFAULT_TRUE_PEAK, LOUDNESS_RATE, loudnessPlan, loudnessQuestion } from './loudness.ts';
import { mixing } from './mixing.ts';
import { channelName, codecName } from './names.ts';
import { chooseTracks, languageLabel, trackField } from './tracks.ts';

const params = z
  .strictObject({
    type: z.literal('audio').describe('Names the operation'),
    format: z
      .enum(['aac', 'mp3', 'opus', 'flac', 'wav'])
      .default('aac')
      .describe(
        '`aac` (an M4A) and `mp3` play everywhere, `opus` (in Ogg) sounds best for its size, `flac` and `wav` lose nothing',
      ),
    bitrate: integer(32, 320)
      .optional()
      .describe(
        'Kilobits per second of aac, mp3 and opus, 32–320. Default: 64 for each channel of aac and mp3, 48 of opus',
      ),
    channels: integer(1, 2)
      .optional()
      .describe(
        '1 mixes everything to mono, 2 gives stereo. Default: as the source, more than two become stereo',
      ),
    sampleRate: integer(8000, 48_000)
      .optional()
      .describe(
        `Samples per second: ${SOUND_RATES.join(', ')}; opus takes 8000, 12000, 16000, 24000 and 48000. Default: as the source`,
      ),
    ...cutFields,
    track: trackField
      .default('first')
      .describe(
        'Which track: `first`, a language such as `en`, or its number from 1 to 16 as `probe` tells it. Default: first',
      ),
    loudness: looseNumber(z.number().min(-70).max(-5))
      .optional()
      .describe(
        'Brings the sound to this loudness in LUFS (EBU R128), -70 to -5: -14 and -16 are usual online, -23 on television',
      ),
    truePeak: looseNumber(z.number().min(-9).max(0))
      .optional()
      .describe('With loudness: no peak gets higher than this, in dBTP, -9 to 0. Default -1.5'),
    encode: z
      .enum(['auto', 'always'])
      .default('auto')
      .describe(
        '`auto` copies sound that is already as asked for, at once and without loss; `always` encodes',
      ),
  })
  .superRefine(({ format, bitrate, sampleRate, start, end, loudness, truePeak }, context) => {
    const wrong = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    const { rates, lossless } = SOUND_FORMATS[format];
    if (bitrate !== undefined && lossless)
      wrong('bitrate', `${format} keeps everything and has no bitrate to choose`);
    if (sampleRate !== undefined && !rates.includes(sampleRate)) {
      wrong('sampleRate', `${format} takes ${rates.join(', ')} samples per second, not ${sampleRate}`);
    }
    checkCut({ start, end }, context);
    if (truePeak !== undefined && loudness === undefined) wrong('truePeak', 'truePeak needs loudness');
  });
type Params = z.output<typeof params>;

export const audio: VideoOperation<typeof params> = {
  name: 'audio',
  summary: 'Takes the sound as a file of its own, brought to one loudness if that is asked for.',
  params,
  examples: [
    { shows: 'the sound as an M4A', params: { type: 'audio' } },
    {
      shows: 'a podcast: mono MP3 at -16 LUFS',
      params: { type: 'audio', format: 'mp3', channels: 1, bitrate: 96, loudness: -16 },
    },
    {
      shows: 'ten seconds of the second track, without loss',
      params: { type: 'audio', format: 'flac', track: 2, start: 5, end: 15 },
    },
  ],
  analyses(asked, source) {
    const question = questionOf(asked, source, trackOf(asked, source));
    return question === null ? [] : [question];
  },
  plan,
};

function trackOf({ track }: Params, { probe }: Source): AudioStream {
  const [found] = chooseTracks(probe, track);
  if (found === undefined) {
    throw new Problem('stream_missing', 'The source has no sound. Send a video with sound, or a sound file.');
  }
  return found;
}

const channelsOf = ({ channels }: Params, track: AudioStream): number =>
  channels ?? Math.min(2, track.channels);

function questionOf(asked: Params, source: Source, track: AudioStream) {
  const { loudness: target, truePeak = DEFAULT_TRUE_PEAK } = asked;
  if (target === undefined || !source.filters.has('loudnorm')) return null;
  return loudnessQuestion(
    { target, truePeak },
    track,
    windowOf(asked, wholeTrack(source, track)),
    mixing(track, channelsOf(asked, track)),
  );
}

function plan(asked: Params, source: Source): OutputPart {
  const track = trackOf(asked, source);
  const window = windowOf(asked, wholeTrack(source, track));
  checkStart(window, wholeOf(source.probe, null, [track]));
  const { extension, mediaType, muxer } = SOUND_FORMATS[asked.format];
  const sound = soundPart(asked, source, track, window);
  const length = lengthOf(source, track, window);
  return {
    pieces: [
      {
        file: `audio.${extension}`,
        mediaType,
        streams: [sound.part],
        muxer,
        expects: {
          kind: 'clip',
          video: null,
          audio: { codec: sound.codec },
          durationSeconds: length.seconds,
          durationIsExact: length.exact,
        },
        // Twice of what 32-bit stereo at 192 kHz would take.
        maxBytes: 16_000_000 + Math.ceil((length.seconds ?? 14_400) * 3_100_000),
      },
    ],
    window,
    encoders: sound.encoders,
    decisions: [...sound.decisions, ...cutDecisions(asked, wholeTrack(source, track))],
  };
}

interface Sound {
  readonly part: StreamPart;
  readonly codec: string;
  readonly encoders: readonly string[];
  readonly decisions: readonly string[];
}

function soundPart(asked: Params, source: Source, track: AudioStream, window: Window): Sound {
  const { codec } = SOUND_FORMATS[asked.format];
  const channels = channelsOf(asked, track);
  const wish: SoundWish = {
    format: asked.format,
    bitrate: asked.bitrate,
    sampleRate: asked.sampleRate,
    channels,
  };
  const question = questionOf(asked, source, track);
  const loudness = question === null ? null : loudnessPlan(source, question);
  const unheard =
    asked.loudness !== undefined && question === null
      ? ['loudness left alone: this FFmpeg has no loudnorm filter']
      : [];
  const changes = [
    ...(asked.encode === 'always' ? ['encoding was asked for'] : []),
    ...(window.start > 0 || window.end !== null ? ['a cut needs new samples'] : []),
    ...((loudness?.filters.length ?? 0) > 0 ? ['its loudness is changed'] : []),
    ...soundReasons(source, track, wish),
    ...(source.mayCopy ? [] : ['a copy of it did not pass its check']),
  ];
  const told = [...(loudness === null ? [] : [loudness.decision]), ...unheard];
  const [why] = changes;
  // Of the formats this one has a place for it that players look at.
  const label = asked.format === 'aac' ? languageLabel(track) : {};
  if (why === undefined) {
    return {
      part: { kind: 'audio', source: track.index, options: { c: 'copy', ...label }, filters: [] },
      codec,
      encoders: [],
      decisions: [
        `sound copied: it is ${codecName(track.codec)}, ${channelName(track.channels)}, as asked for`,
        ...told,
      ],
    };
  }
  const levelled = (loudness?.filters.length ?? 0) > 0;
  const settings = soundSettings(wish, track, levelled ? LOUDNESS_RATE : null);
  return {
    part: {
      kind: 'audio',
      source: track.index,
      options: { ...settings.options, ...label },
      filters: [...mixing(track, channels), ...(loudness?.filters ?? [])],
    },
    codec,
    encoders: [settings.encoder],
    decisions: [`sound encoded to ${settings.name}: ${why}`, ...told, ...settings.decisions],
  };
}

/** Its own clock begins with the picture: a track that starts late begins with silence. */
function lengthOf({ probe, mediaType }: Source, track: AudioStream, window: Window) {
  const late = Math.max(0, (track.startSeconds ?? 0) - (probe.startSeconds ?? 0));
  const durationSeconds = track.durationSeconds === null ? null : track.durationSeconds + late;
  const { seconds, exact } = expectedSeconds(probe, window, [{ durationSeconds }]);
  return { seconds, exact: exact && !isGuessed(mediaType) };
}

/** Streams without an index: their length is guessed from the first frames. */
function isGuessed(mediaType: string): boolean {
  return mediaType === 'audio/aac' || mediaType === 'audio/mpeg';
}

/** An `end` past a length that is a guess may still be within the sound. */
function wholeTrack({ probe, mediaType }: Source, track: AudioStream): Whole {
  const whole = wholeOf(probe, null, [track]);
  return isGuessed(mediaType) ? { ...whole, seconds: null } : whole;
}
