// What a look at one output has found: faults in words, and figures that were measured.

export interface Report {
  readonly faults: readonly string[];
  /** By name; of several under one name the one that is furthest from 0. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface Findings extends Report {
  /** A fault unless it holds. */
  check(holds: boolean, fault: string): void;
  figure(name: string, value: number): void;
  /** A fault unless the value is within the limits, which are allowed. */
  within(what: string, value: number, low: number, high: number): void;
}

export function findings(): Findings {
  const faults: string[] = [];
  const figures: Record<string, number> = {};
  const check = (holds: boolean, fault: string): void => {
    if (!holds) faults.push(fault);
  };
  return {
    faults,
    figures,
    check,
    figure(name, value) {
      if (Math.abs(value) >= Math.abs(figures[name] ?? 0)) figures[name] = value;
    },
    within(what, value, low, high) {
      const inside = value >= low && value <= high;
      check(inside, `${what} is ${short(value)}, not ${short(low)}${low === high ? '' : `–${short(high)}`}`);
    },
  };
}

const short = (value: number): string => `${Math.round(value * 10_000) / 10_000}`;
