// The colours of a picture: their mean, and the few that make it up. Pure arithmetic on a small picture.

/** [red, green, blue], 0–255. */
type Colour = readonly [number, number, number];

/** A colour with the weight of the pixels that have about it. */
interface Shade {
  readonly colour: Colour;
  readonly weight: number;
}

export interface PaletteColour {
  /** `#rrggbb`. */
  readonly colour: string;
  /** Of what is to be seen, 0–1. */
  readonly share: number;
}

const ROUNDS = 4;
/** Colours nearer than this, as the square of their distance in RGB, count as one. */
const ALIKE = 32 ** 2;
/** More groups are made than are told, since those that are alike become one. */
const GROUPS = 16;

/** The mean of all pixels of an RGBA picture, weighted by their opacity; null if nothing is to be seen. */
export function averageColour(rgba: Uint8Array): string | null {
  const mean = meanOf(shadesOf(rgba));
  return mean && hex(mean);
}

/**
 * At most `most` colours of an RGBA picture, the most frequent first: split by the mean along the widest channel, as
 * median cut does by the median, then moved to the middle of what is near them (k-means).
 */
export function paletteOf(rgba: Uint8Array, most: number): PaletteColour[] {
  const shades = shadesOf(rgba);
  const total = weightOf(shades);
  let groups = split(shades);
  for (let round = 0; round < ROUNDS; round++) groups = regroup(shades, groups);
  return unite(groups)
    .map((group) => ({ colour: hex(meanOf(group) ?? [0, 0, 0]), share: weightOf(group) / total }))
    .filter(({ share }) => share >= 0.004)
    .toSorted((a, b) => b.share - a.share)
    .slice(0, most)
    .map(({ colour, share }) => ({ colour, share: Math.round(share * 1000) / 1000 }));
}

/** Pixels by their first five bits a channel, each with the mean of its own. */
function shadesOf(rgba: Uint8Array): Shade[] {
  const bins = new Map<number, [number, number, number, number]>();
  for (let at = 0; at + 3 < rgba.length; at += 4) {
    const weight = rgba[at + 3]! / 255;
    if (weight === 0) continue;
    const [r, g, b] = [rgba[at]!, rgba[at + 1]!, rgba[at + 2]!];
    const key = ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);
    const bin = bins.get(key) ?? [0, 0, 0, 0];
    bins.set(key, [bin[0] + r * weight, bin[1] + g * weight, bin[2] + b * weight, bin[3] + weight]);
  }
  return [...bins.values()].map(([r, g, b, weight]) => ({
    colour: [r / weight, g / weight, b / weight],
    weight,
  }));
}

type Group = readonly Shade[];

function split(shades: Group): Group[] {
  const groups: Group[] = shades.length === 0 ? [] : [shades];
  while (groups.length < GROUPS) {
    const spreads = groups.map(spreadOf);
    const widest = spreads.reduce(
      (best, { error }, i) => (error > (spreads[best]?.error ?? 0) ? i : best),
      0,
    );
    const { error, channel, mean } = spreads[widest] ?? { error: 0, channel: 0, mean: 0 };
    const group = groups[widest];
    if (error === 0 || group === undefined) break;
    const isBelow = ({ colour }: Shade): boolean => colour[channel] <= mean;
    const [below, above] = [group.filter(isBelow), group.filter((shade) => !isBelow(shade))];
    if (below.length === 0 || above.length === 0) break;
    groups.splice(widest, 1, below, above);
  }
  return groups;
}

/** The channel in which a group's shades lie furthest apart, and how far, by the sum of squares. */
function spreadOf(group: Group): { error: number; channel: 0 | 1 | 2; mean: number } {
  const mean = meanOf(group) ?? [0, 0, 0];
  const errors = ([0, 1, 2] as const).map((channel) => ({
    channel,
    mean: mean[channel],
    error: group.reduce(
      (sum, { colour, weight }) => sum + weight * (colour[channel] - mean[channel]) ** 2,
      0,
    ),
  }));
  return errors.reduce((a, b) => (b.error > a.error ? b : a));
}

function regroup(shades: Group, groups: readonly Group[]): Group[] {
  const middles = groups.flatMap((group) => {
    const mean = meanOf(group);
    return mean === null ? [] : [mean];
  });
  const next: Shade[][] = middles.map(() => []);
  for (const shade of shades) {
    let nearest = 0;
    let least = Infinity;
    for (const [i, middle] of middles.entries()) {
      const far = distance(shade.colour, middle);
      if (far < least) [nearest, least] = [i, far];
    }
    next[nearest]?.push(shade);
  }
  return next.filter((group) => group.length > 0);
}

/** Groups that nobody could tell apart, as one. */
function unite(groups: readonly Group[]): Group[] {
  const united: Group[] = [];
  for (const group of groups.toSorted((a, b) => weightOf(b) - weightOf(a))) {
    const mean = meanOf(group) ?? [0, 0, 0];
    const same = united.findIndex((other) => distance(meanOf(other) ?? [0, 0, 0], mean) < ALIKE);
    if (same === -1) united.push(group);
    else united[same] = [...(united[same] ?? []), ...group];
  }
  return united;
}

function meanOf(group: Group): Colour | null {
  const total = weightOf(group);
  if (total === 0) return null;
  const sum = [0, 0, 0] as [number, number, number];
  for (const { colour, weight } of group) {
    for (const channel of [0, 1, 2] as const) sum[channel] += colour[channel] * weight;
  }
  return [sum[0] / total, sum[1] / total, sum[2] / total];
}

function weightOf(group: Group): number {
  return group.reduce((sum, { weight }) => sum + weight, 0);
}

/** Squared. */
function distance(a: Colour, b: Colour): number {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
}

function hex(colour: Colour): string {
  return `#${colour.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`;
}
