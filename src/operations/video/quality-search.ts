// Which CRF to try next, to find the highest one that still looks like its source.

export interface Try {
  readonly crf: number;
  /** Likeness: SSIM 0–1, or VMAF 0–100. */
  readonly reached: number;
}

export interface Goal {
  readonly target: number;
  /** Of a perfect copy: 1 for SSIM, 100 for VMAF. */
  readonly perfect: number;
}

export interface CrfBounds {
  readonly min: number;
  readonly max: number;
  /** To begin with. */
  readonly first: number;
}

/** A search costs this many short encodes at most. */
export const MOST_TRIES = 5;
/** So many in vain, and only the best quality is left to try. */
const TRIES_IN_VAIN = 3;
/**
 * What is lacking to a perfect copy grows by about this exponent for each step of CRF. Measured on two films at 480p:
 * x264 0.07–0.13, libvpx-vp9 0.02–0.06, SVT-AV1 0.02–0.03. Only for the second try: from then on the tries tell.
 */
const GROWTH = 0.06;
/** Likeness of a copy that cannot be told from its source; its logarithm must stay a number. */
const NOTHING_LACKING = 1e-5;

/** The CRF to try next, or null when the search is over: see `bestTry`. CRFs are whole numbers. */
export function nextCrf(tries: readonly Try[], goal: Goal, { min, max, first }: CrfBounds): number | null {
  if (tries.length >= MOST_TRIES) return null;
  const { best, worst } = borders(tries, goal);
  if (best === null && worst === null) return within(first, min, max);
  if (best !== null && best.crf >= max) return null;
  if (worst !== null && worst.crf <= min) return null;
  if (best !== null && worst !== null && worst.crf - best.crf <= 1) return null;
  if (best === null && tries.length >= TRIES_IN_VAIN) return min;
  const low = best === null ? min : best.crf + 1;
  const high = worst === null ? max : worst.crf - 1;
  return within(Math.floor(guess(tries, goal, best, worst)), low, high);
}

/** The highest CRF that has reached the target; the lowest that there is if none has. */
export function bestTry(tries: readonly Try[], goal: Goal, { min }: Pick<CrfBounds, 'min'>): Try | null {
  const { best } = borders(tries, goal);
  return best ?? tries.find(({ crf }) => crf === min) ?? null;
}

/** The highest CRF that reaches the target, and the lowest above it that does not. */
function borders(tries: readonly Try[], { target }: Goal): { best: Try | null; worst: Try | null } {
  const sorted = tries.toSorted((a, b) => a.crf - b.crf);
  // Likeness falls with CRF; where a measure wavers, the safe side counts.
  const worst = sorted.find(({ reached }) => reached < target) ?? null;
  const best =
    sorted.findLast(({ crf, reached }) => reached >= target && crf < (worst?.crf ?? Infinity)) ?? null;
  return { best, worst };
}

/** Where a line through the two nearest tries meets the target, by the logarithm of what is lacking. */
function guess(tries: readonly Try[], goal: Goal, best: Try | null, worst: Try | null): number {
  const wanted = lack(goal.target, goal);
  const near = best ?? worst;
  if (near === null) return Number.NaN;
  const other =
    worst !== null && worst !== near
      ? worst
      : (tries.filter((each) => each !== near).toSorted((a, b) => distance(a, near) - distance(b, near))[0] ??
        null);
  const growth =
    other === null ? GROWTH : (lack(other.reached, goal) - lack(near.reached, goal)) / (other.crf - near.crf);
  return near.crf + (wanted - lack(near.reached, goal)) / (growth > 0.01 ? growth : GROWTH);
}

function distance(one: Try, other: Try): number {
  return Math.abs(one.crf - other.crf);
}

function lack(reached: number, { perfect }: Goal): number {
  return Math.log(Math.max(NOTHING_LACKING, (perfect - reached) / perfect));
}

function within(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, Math.round(value)));
}
