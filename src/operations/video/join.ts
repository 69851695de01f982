// The filter graph that joins clips: each is cut to whole frames of one rate, its sound to just the same length.

import type { AudioStream, VideoStream } from '../media-probe.ts';
import type { Size, Source } from '../video-operation.ts';
import { soundFilters } from './encoders.ts';
import { boxing, toFrames } from './frames.ts';
import { shownSize } from './geometry.ts';
import type { Fitted } from './geometry.ts';

const MAX_RATE = 60;
/** Where the first clip does not say. */
const GUESSED_RATE = 30;
/** Sound that goes on for longer than the picture, in seconds, is no padding of an encoder: the last frame stays for it. */
const REAL_SOUND = 0.25;

export interface Rate {
  readonly value: number;
  /** For FFmpeg: `25`, `30000/1001`. */
  readonly text: string;
}

/** One of the videos. */
export interface Clip {
  readonly source: Source;
  readonly video: VideoStream;
  readonly audio: AudioStream | null;
  /** Of its picture, before bars or cuts. */
  readonly scaled: Size;
  /** Whole frames; null where its length is not known. */
  readonly frames: number | null;
  readonly seconds: number | null;
}

/** The rate of a clip, at most 60. A phone's 29.87 is 30 with frames left out. */
export function rateOf({ fps, baseFps }: VideoStream): Rate {
  const mean = fps ?? baseFps ?? GUESSED_RATE;
  const steady = baseFps !== null && baseFps >= mean && baseFps <= 1.1 * mean ? baseFps : mean;
  const value = Math.min(steady, MAX_RATE);
  const whole = Math.round(value);
  if (Math.abs(value - whole) < 0.001) return { value: whole, text: `${whole}` };
  // Of NTSC: 23.976, 29.97, 59.94.
  const ntsc = Math.round(value * 1.001);
  if (Math.abs(value - ntsc / 1.001) < 0.002) return { value: ntsc / 1.001, text: `${ntsc * 1000}/1001` };
  const rounded = Math.round(value * 1000) / 1000;
  return { value: rounded, text: `${rounded}` };
}

/** `scaled`: null to fit the frame, larger too: a small clip between large ones should not be a stamp. */
export function joint(source: Source, video: VideoStream, scaled: Size | null, frame: Size, fps: Rate): Clip {
  const { audio, probe } = source;
  const shown = video.durationSeconds ?? probe.durationSeconds;
  const heard = audio?.durationSeconds ?? 0;
  const length = shown === null ? null : heard > shown + REAL_SOUND ? heard : shown;
  const frames = length === null ? null : Math.max(1, Math.round(length * fps.value));
  return {
    source,
    video,
    audio,
    scaled: scaled ?? filling(shownSize(video), frame),
    frames,
    seconds: frames === null ? null : frames / fps.value,
  };
}

function filling(shown: Size, frame: Size): Size {
  const factor = Math.min(frame.width / shown.width, frame.height / shown.height);
  const side = (length: number, most: number): number =>
    Math.max(2, Math.min(Math.round((length * factor) / 2) * 2, most));
  return { width: side(shown.width, frame.width), height: side(shown.height, frame.height) };
}

/** Inputs are numbered as the clips are; `[v]` and, with sound, `[a]` come out. */
export function joinGraph(clips: readonly Clip[], size: Fitted, fps: Rate, hasSound: boolean): string {
  const statements: string[] = [];
  const labels: string[] = [];
  for (const [index, clip] of clips.entries()) {
    statements.push(`[${index}:${clip.video.index}]${pictureFilters(clip, size, fps).join(',')}[v${index}]`);
    labels.push(`[v${index}]`);
    if (!hasSound) continue;
    statements.push(`${soundSource(clip, index)}${soundOf(clip).join(',')}[a${index}]`);
    labels.push(`[a${index}]`);
  }
  const kinds = hasSound ? 'v=1:a=1' : 'v=1:a=0';
  statements.push(`${labels.join('')}concat=n=${clips.length}:${kinds}[v]${hasSound ? '[a]' : ''}`);
  return statements.join(';');
}

/** From second 0 of its file on, as the sound is: what begins late shows its first frame until then. */
function pictureFilters({ source, video, scaled, frames }: Clip, { final }: Fitted, fps: Rate): string[] {
  return [
    ...toFrames(source, video, scaled),
    ...boxing(scaled, final),
    `fps=fps=${fps.text}:start_time=0`,
    ...(frames === null ? [] : ['tpad=stop=-1:stop_mode=clone', `trim=end_frame=${frames}`]),
  ];
}

function soundSource({ audio }: Clip, index: number): string {
  // A label where there is sound; else a filter that makes silence, with nothing before it.
  return audio === null ? 'anullsrc=r=48000:cl=stereo,' : `[${index}:${audio.index}]`;
}

function soundOf({ audio, seconds }: Clip): string[] {
  // Silence without an end would never let the next clip begin.
  const end = seconds ?? (audio === null ? 0.001 : null);
  return [
    ...(audio === null ? [] : soundFilters(audio)),
    'aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts=stereo',
    ...(end === null ? [] : ['apad', `atrim=end_sample=${Math.max(1, Math.round(end * 48_000))}`]),
  ];
}
