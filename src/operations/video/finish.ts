// What is made of an output's files when FFmpeg is through with them. Data here; done by the engine.

import type { Rung } from './hls/ladder.ts';

export type Finish =
  /** Playlists over the segments, published while they come. */
  | {
      readonly type: 'hls';
      readonly targetSeconds: number;
      readonly fps: number;
      readonly rungs: readonly Rung[];
      readonly sounds: readonly {
        readonly name: string;
        readonly language: string | null;
        readonly channels: number;
        readonly kbps: number;
      }[];
      readonly subtitles: readonly { readonly name: string; readonly language: string | null }[];
      readonly dash: boolean;
    }
  /** A WebVTT map over sprites. */
  | {
      readonly type: 'storyboard';
      readonly everySeconds: number;
      readonly columns: number;
      readonly rows: number;
      readonly tile: { readonly width: number; readonly height: number };
      readonly durationSeconds: number | null;
    }
  /** Peaks and a drawing of them, from raw samples (signed 16-bit little-endian, one channel). */
  | {
      readonly type: 'waveform';
      readonly sampleRate: number;
      /** How many pairs in all, at most; or in a second. */
      readonly wanted: { readonly peaks: number } | { readonly peaksPerSecond: number };
      readonly image: {
        readonly width: number;
        readonly height: number;
        readonly colour: string;
        readonly background: string;
      };
    }
  /** A list of the files, in JSON. `seconds`: the moments of the source that they show, in the order of the pieces. */
  | { readonly type: 'list'; readonly seconds?: readonly number[] }
  /** Text that was known before. */
  | { readonly type: 'document'; readonly file: string; readonly mediaType: string; readonly text: string };
