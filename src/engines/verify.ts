// Exit code 0 proves nothing: a result is what its own probe says.

import { mainAudio, mainVideo } from '../operations/media-probe.ts';
import type { MediaProbe } from '../operations/media-probe.ts';
import type { Expectation, Size } from '../operations/video-operation.ts';
import { shownSize } from '../operations/video/geometry.ts';
import { Problem } from '../problems.ts';

export interface Checked {
  /** What is wrong with it, or null. */
  readonly fault: string | null;
  /** What its owner should know although it plays. */
  readonly warnings: readonly string[];
  readonly size: Size | null;
  readonly durationSeconds: number | null;
}

/** A result may be off by 2 s or 2 %; a short one by less, or an empty one would pass. */
export function tolerance(seconds: number): number {
  return Math.max(0.02 * seconds, Math.min(2, seconds / 2));
}

/** Holds a finished file against what it was to become. `damage` is what FFmpeg complained of in the source. */
export function checkResult(expects: Expectation, probe: MediaProbe, damage: string | null): Checked {
  const video = mainVideo(probe);
  const audio = mainAudio(probe);
  const durationSeconds = expects.kind === 'still' ? null : lengthOf(probe);
  const size = video === null ? null : shownSize(video);
  const warnings: string[] = [];
  const done = (fault: string | null): Checked => ({ fault, warnings, size, durationSeconds });

  if (expects.video !== null) {
    const { codec, size: wanted } = expects.video;
    if (video === null || size === null) return done('it has no picture');
    if (video.codec !== codec) return done(`its picture is ${video.codec}, not ${codec}`);
    if (size.width !== wanted.width || size.height !== wanted.height) {
      return done(`it is ${size.width}×${size.height}, not ${wanted.width}×${wanted.height}`);
    }
  }
  if (expects.audio !== null && audio?.codec !== expects.audio.codec) {
    if (damage === null || audio !== null)
      return done(audio === null ? 'it has no sound' : `its sound is ${audio.codec}`);
    warnings.push(`The source is damaged: no sound could be read (${damage}).`);
  }
  if (expects.kind === 'clip' && durationSeconds === null) return done('it has no length');
  const length = lengthVerdict(expects, durationSeconds, damage);
  warnings.push(...length.warnings);
  return done(length.fault);
}

/** Whether a result is as long as it was to be. One of a damaged source may be shorter, and says so. */
export function lengthVerdict(
  { durationSeconds: expected, durationIsExact }: Pick<Expectation, 'durationSeconds' | 'durationIsExact'>,
  came: number | null,
  damage: string | null,
): Pick<Checked, 'fault' | 'warnings'> {
  const good = (...warnings: string[]): Pick<Checked, 'fault' | 'warnings'> => ({ fault: null, warnings });
  const marked = (): Pick<Checked, 'fault' | 'warnings'> => (damage === null ? good() : good(faulty(damage)));
  if (expected === null || came === null) return marked();
  const short = expected - came;
  if (short > tolerance(expected)) {
    const missing = `after ${seconds(came)} of ${seconds(expected)}`;
    if (damage !== null) return good(`The source is damaged and breaks off ${missing} (${damage}).`);
    if (!durationIsExact) return good(`The picture and sound of the source end ${missing}.`);
    return { fault: `it ends ${missing}`, warnings: [] };
  }
  if (-short > tolerance(expected) && durationIsExact && damage === null) {
    return { fault: `it lasts ${seconds(came)}, not ${seconds(expected)}`, warnings: [] };
  }
  return marked();
}

function faulty(damage: string): string {
  return `The source has faults, which may show (${damage}).`;
}

function lengthOf({ durationSeconds, video, audio }: MediaProbe): number | null {
  const known = [...video, ...audio]
    .map((stream) => stream.durationSeconds)
    .filter((length) => length !== null);
  return known.length > 0 ? Math.max(...known) : durationSeconds;
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}

/** An output that must not be published. */
export function broken(name: string, fault: string, damage: string | null): Problem {
  if (damage !== null) {
    return new Problem(
      'video_unreadable',
      `The source is damaged (${damage}), and output "${name}" could not be made of it: ${fault}.`,
    );
  }
  return new Problem(
    'result_broken',
    `Output "${name}" did not pass its check: ${fault}. Nothing was published.`,
  );
}
