// From the way an FFmpeg run ended to a Problem that says why, in FFmpeg's own words made fit for strangers.

import { Problem } from '../problems.ts';
import type { ChildEnd } from './child.ts';
import { isGrave } from './ffmpeg-log.ts';
import type { FfmpegLog } from './ffmpeg-log.ts';

/** Signals that a program brings upon itself by a bug. Every other one came from outside. */
const CRASHES = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS']);

/** The source's fault rather than the encoder's. */
const UNREADABLE =
  /Invalid data found when processing input|moov atom not found|Error opening input|does not contain any stream|Could not find codec parameters|Error while opening decoder|EBML header parsing failed|matches no streams/;

export interface FailureContext {
  readonly timeoutSeconds: number;
  /** Names of our own files. */
  readonly hide: readonly string[];
}

/** Why a run failed, or null if it ended well as far as its exit tells. */
export function failureOf(
  { code, signal, stopped }: ChildEnd,
  log: FfmpegLog,
  { timeoutSeconds, hide }: FailureContext,
): Problem | null {
  if (stopped === 'timeout') {
    return new Problem(
      'encode_timeout',
      `The encode was stopped after ${timeoutSeconds} s, the longest it may run. Ask for fewer or smaller outputs, or for effort "fast".`,
    );
  }
  if (code === 0) return null;
  const reason = log.reason(hide);
  const because = reason === '' ? '' : `: ${reason}`;
  if (signal === 'SIGXFSZ') {
    return new Problem('encode_failed', 'The result grew past any sensible size and was stopped.');
  }
  if (signal !== null && CRASHES.has(signal)) {
    return new Problem(
      'encode_failed',
      `FFmpeg crashed (${signal}) while it worked on this source${because}.`,
    );
  }
  // FFmpeg catches the gentle signals and says so by 255 alone. It never gives that for a mistake of the source's.
  if (signal !== null || (code === 255 && log.errors === 0)) {
    return new Problem(
      'encoder_killed',
      'FFmpeg was stopped from outside: by an operator, or by the system for lack of memory.',
    );
  }
  if (log.has(/No space left on device|Disk quota exceeded/)) {
    return new Problem('storage_full', 'The disk was full before the result was. Try again later.');
  }
  if (log.has(UNREADABLE)) return new Problem('video_unreadable', `The video cannot be read${because}.`);
  return new Problem('encode_failed', `FFmpeg could not make the outputs${because}.`);
}

/** What FFmpeg complained of although it ended well: signs that the source is damaged. Null if there are none. */
export function damageIn(log: FfmpegLog, hide: readonly string[]): string | null {
  return log.lines.some(isGrave) ? log.reason(hide) : null;
}
