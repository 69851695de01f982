// One line in the terminal that says what is being measured; in a log, a line for each step.

export interface Progress {
  /** A new scenario. */
  begin(name: string): void;
  /** `done` of `total` equal steps are behind; without them, only the words change. */
  step(label: string, done?: number, total?: number): void;
  /** A line that stays. */
  say(line: string): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR = 24;

/** Draws on a terminal (or writes lines to anything else). `now` is in milliseconds. */
export function createProgress(out: Terminal, now: () => number = () => performance.now()): Progress {
  const drawn = out.isTTY === true;
  let name = '';
  let label = '';
  let fraction: number | undefined;
  let begun = now();

  const line = (): string => {
    const bar =
      fraction === undefined
        ? ''
        : `${'█'.repeat(Math.round(fraction * BAR)).padEnd(BAR, '░')} ${String(Math.round(fraction * 100)).padStart(3)} %  `;
    const text = `${name}  ${bar}${label}  ${Math.round((now() - begun) / 1000)} s`;
    return drawn ? text.slice(0, (out.columns ?? 80) - 1) : text;
  };
  // \x1b[2K clears the line (ECMA-48, EL).
  const clear = (): void => void (drawn && out.write('\r\x1b[2K'));
  const draw = (): void => {
    if (!drawn) return;
    clear();
    out.write(line());
  };
  const timer = drawn ? setInterval(draw, 250) : undefined;

  return {
    begin(next) {
      name = next;
      label = 'starting';
      fraction = undefined;
      begun = now();
      draw();
    },
    step(next, done, total) {
      const isNew = next !== label;
      label = next;
      fraction = done === undefined || total === undefined ? undefined : done / total;
      if (drawn) draw();
      else if (isNew) out.write(`${line()}\n`);
    },
    say(text) {
      clear();
      out.write(`${text}\n`);
      if (name !== '') draw();
    },
    close() {
      clearInterval(timer);
      clear();
      name = '';
    },
  };
}
