// What FFmpeg says on stderr at `-loglevel level+warning`: bounded, however much it says.

import { scrub } from '../lib/scrub.ts';

export interface LogLine {
  readonly level: 'warning' | 'error' | 'fatal' | 'panic' | 'other';
  readonly text: string;
}

const MAX_LINE = 2000;
const KEPT_FIRST = 12;
const KEPT_LAST = 12;
/** Signs of damage that come after the first lines, which may all be warnings. */
const KEPT_GRAVE = 12;

/** `[h264 @ 0x55…] [error] no frame!` → level and words; the part in the first brackets is a pointer and of no use. */
function parseLogLine(line: string): LogLine {
  const match = /^(?:\[[^\]]*\] ?)*?\[(warning|error|fatal|panic)\] ?(.*)$/.exec(line);
  if (match === null) return { level: 'other', text: line };
  return { level: match[1] as LogLine['level'], text: match[2] ?? '' };
}

/** Reads stderr as it comes, keeps the first and the last of it, and some of the errors between. */
export class FfmpegLog {
  #rest = '';
  readonly #first: LogLine[] = [];
  readonly #grave: LogLine[] = [];
  readonly #last: LogLine[] = [];
  #errors = 0;

  feed(chunk: string): void {
    const lines = (this.#rest + chunk).split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) this.#add(line);
  }

  /** The end of the stream: what is left is a line too. */
  end(): void {
    this.#add(this.#rest);
    this.#rest = '';
  }

  #add(line: string): void {
    if (line.trim() === '' || CHATTER.test(line)) return;
    const parsed = parseLogLine(line.slice(0, MAX_LINE));
    if (parsed.level === 'error' || parsed.level === 'fatal') this.#errors++;
    if (this.#first.length < KEPT_FIRST) this.#first.push(parsed);
    else if (isGrave(parsed) && this.#grave.length < KEPT_GRAVE) this.#grave.push(parsed);
    else {
      this.#last.push(parsed);
      if (this.#last.length > KEPT_LAST) this.#last.shift();
    }
  }

  get lines(): readonly LogLine[] {
    return [...this.#first, ...this.#grave, ...this.#last];
  }

  /** Lines of level error or worse, all of them counted. */
  get errors(): number {
    return this.#errors;
  }

  has(pattern: RegExp): boolean {
    return this.lines.some(({ text }) => pattern.test(text));
  }

  /** FFmpeg's reasons, the first ones, fit for a stranger. Empty if it gave none. */
  reason(hide: readonly string[] = []): string {
    const grave = this.lines.filter(({ level }) => level !== 'warning' && level !== 'other');
    const chosen = grave.length > 0 ? grave : this.lines.filter(({ level }) => level === 'other');
    const words = chosen
      .filter(({ text }) => !NOISE.test(text))
      .map(({ text }) => scrub(text, { hide, max: 160 }).replace(/^the file: |\.$/g, ''));
    return [...new Set(words)].slice(0, 3).join('; ');
  }
}

/** Errors of the muxer and of optional parts say nothing about the source. */
const HARMLESS = /not on whitelist|Failed to open codec|deprecated|non monotonically increasing dts to muxer/;

/** A sign of damage. */
export function isGrave({ level, text }: LogLine): boolean {
  return level === 'error' && !HARMLESS.test(text);
}

/** SVT-AV1 introduces itself in fifteen lines, whatever level was asked for: they would be all that is kept. */
const CHATTER = /^Svt\[(?:info|warn)\]/;

/** True, but said of every failure, or only meant for those who sit before a terminal. */
const NOISE =
  /^(?:Conversion failed!|Error (?:opening|while) (?:input|output) files?|Exiting normally|Last message repeated|Consider )/;
