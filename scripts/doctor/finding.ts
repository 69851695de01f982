// What the doctor says about one thing.

export interface Finding {
  /** What was looked at. */
  readonly name: string;
  /** `missing`: Mediamill cannot do its work so. `warning`: it can, but less well. */
  readonly state: 'ok' | 'warning' | 'missing';
  /** What is there, and what it means. */
  readonly text: string;
  /** The command, or the change, that cures it. */
  readonly cure?: string;
}

export function ok(name: string, text: string): Finding {
  return { name, state: 'ok', text };
}

export function warning(name: string, text: string, cure?: string): Finding {
  return { name, state: 'warning', text, ...(cure === undefined ? {} : { cure }) };
}

export function missing(name: string, text: string, cure: string): Finding {
  return { name, state: 'missing', text, cure };
}

const SIGNS = { ok: '✓', warning: '!', missing: '✗' } as const;

/** One line for a terminal. */
export function line({ name, state, text, cure }: Finding): string {
  return `${SIGNS[state]} ${name.padEnd(9)} ${text}${cure === undefined ? '' : ` → ${cure}`}`;
}
