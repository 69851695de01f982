// WebVTT as FFmpeg writes it: cut to a stretch of time, and its text made safe to read for players.

interface Cue {
  /** Milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly settings: string;
  readonly lines: string[];
}

/** Seconds. */
interface Stretch {
  readonly start: number;
  /** Null: to the end. */
  readonly end: number | null;
}

/** W3C WebVTT, 4.1: hours may be left out. Settings of the cue follow. */
const TIMING =
  /^(?:(\d{2,6}):)?([0-5]\d):([0-5]\d)\.(\d{3})[ \t]+-->[ \t]+(?:(\d{2,6}):)?([0-5]\d):([0-5]\d)\.(\d{3})([ \t].*)?$/;
/** What is an entity already stays one. */
const LOOSE_AMPERSAND = /&(?!(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][\dA-Fa-f]{1,6});)/g;
/** A `<` that begins no tag of WebVTT (4.2.2). No part of it may go past the next `<`, so it takes linear time. */
const LOOSE_BRACKET =
  /<(?!\/?(?:b|i|u|c|v|lang|ruby|rt)(?:\.[^\s<>.]+)*(?:[ \t][^<>\n]*)?>|(?:\d{2,6}:)?[0-5]\d:[0-5]\d\.\d{3}>)/g;

/**
 * The same subtitles, tidied. FFmpeg before 6 writes `<` and `&` of the text as they are, so a player loses what comes after them.
 * With a stretch, times count from its start, cues that reach out of it are clipped, and all others are left out.
 */
export function tidyWebVtt(text: string, { start, end }: Stretch = { start: 0, end: null }): string {
  const shift = Math.round(start * 1000);
  const length = end === null ? Infinity : Math.round(end * 1000) - shift;
  const cues = cuesOf(text).flatMap((cue) => {
    const from = Math.max(0, cue.from - shift);
    const to = Math.min(length, cue.to - shift);
    if (to <= from || cue.lines.length === 0) return [];
    return [`${timestamp(from)} --> ${timestamp(to)}${cue.settings}\n${escaped(cue.lines.join('\n'))}\n`];
  });
  return ['WEBVTT\n', ...cues].join('\n');
}

/** FFmpeg writes no names, notes or styles: every line that is no timing is text, also after an empty line within a cue. */
function cuesOf(text: string): Cue[] {
  const cues: Cue[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    const found = TIMING.exec(line);
    if (found !== null) {
      const [from, to] = [millis(found.slice(1, 5)), millis(found.slice(5, 9))];
      cues.push({ from, to, settings: (found[9] ?? '').trimEnd(), lines: [] });
    } else if (line.trim() !== '') cues.at(-1)?.lines.push(line);
  }
  return cues;
}

function escaped(text: string): string {
  // An arrow in the text would be taken for a timing.
  return text
    .replaceAll(LOOSE_AMPERSAND, '&amp;')
    .replaceAll(LOOSE_BRACKET, '&lt;')
    .replaceAll('-->', '--&gt;');
}

function millis([hours = '0', minutes, seconds, rest]: readonly (string | undefined)[]): number {
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(rest);
}

/** `01:02.500`, with hours where there are some. */
function timestamp(ms: number): string {
  const two = (value: number): string => `${Math.floor(value)}`.padStart(2, '0');
  const hours = ms < 3_600_000 ? '' : `${two(ms / 3_600_000)}:`;
  const rest = `${ms % 1000}`.padStart(3, '0');
  return `${hours}${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${rest}`;
}
