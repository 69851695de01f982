// The sound of a transcode: each track that was chosen, copied or encoded.

import type { AudioStream } from '../media-probe.ts';
import type { Source, StreamOptions, StreamPart } from '../video-operation.ts';
import { audioVerdict } from './copy-rules.ts';
import type { CopyWish } from './copy-rules.ts';
import { aac, opus, soundFilters } from './encoders.ts';
import { chooseTracks, languageLabel } from './tracks.ts';
import type { TranscodeParams } from './transcode-fields.ts';

export interface Sound {
  readonly parts: readonly StreamPart[];
  readonly from: readonly AudioStream[];
  /** Of the first track, as ffprobe calls it. Null: silent. */
  readonly codec: string | null;
  readonly encoders: readonly string[];
  readonly decisions: readonly string[];
}

const SILENT = { parts: [], from: [], codec: null, encoders: [] };

/** Throws Problem `stream_missing` if a track was named that is not there. */
export function soundParts(asked: TranscodeParams, source: Source, wish: CopyWish): Sound {
  if (asked.mute === true) {
    const why = source.audio === null ? 'the source has none' : 'mute was asked for';
    return { ...SILENT, decisions: [`no sound: ${why}`] };
  }
  const tracks = chooseTracks(source.probe, asked.audio);
  if (tracks.length === 0) return { ...SILENT, decisions: ['no sound: the source has none'] };
  const made = tracks.map((track, index) => {
    const name =
      tracks.length === 1
        ? 'sound'
        : `sound ${index + 1}${track.language === null ? '' : ` (${track.language})`}`;
    return trackPart(track, source, wish, name, {
      ...languageLabel(track),
      // Players begin with the first.
      ...(tracks.length > 1 && { disposition: index === 0 ? 'default' : '0' }),
    });
  });
  return {
    parts: made.map(({ part }) => part),
    from: tracks,
    codec: made[0]?.codec ?? null,
    encoders: [...new Set(made.flatMap(({ encoders }) => encoders))],
    decisions: made.map(({ decision }) => decision),
  };
}

interface Track {
  readonly part: StreamPart;
  readonly codec: string;
  readonly encoders: readonly string[];
  readonly decision: string;
}

function trackPart(
  track: AudioStream,
  source: Source,
  wish: CopyWish,
  name: string,
  more: StreamOptions,
): Track {
  const verdict = audioVerdict(source.probe, track, wish);
  if (verdict.copy && source.mayCopy) {
    return {
      part: { kind: 'audio', source: track.index, options: { c: 'copy', ...more }, filters: [] },
      codec: track.codec,
      encoders: [],
      decision: `${name} copied: ${verdict.why}`,
    };
  }
  const { codec, encoder, name: result, options } = wish.format === 'mp4' ? aac(track) : opus(track);
  const why = verdict.copy ? 'a copy of it did not pass its check' : verdict.why;
  return {
    part: {
      kind: 'audio',
      source: track.index,
      options: { ...options, ...more },
      filters: soundFilters(track),
    },
    codec,
    encoders: [encoder],
    decision: `${name} encoded to ${result}: ${why}`,
  };
}
