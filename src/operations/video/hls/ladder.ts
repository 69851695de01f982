// The ladder: which sizes a video is offered in, and how many bits each may take.

import type { Size } from '../../video-operation.ts';
import { fitInto } from '../geometry.ts';

export type LadderCodec = 'h264' | 'hevc' | 'av1';

export interface Rung {
  /** Also of its files: `v720`. */
  readonly name: string;
  /** Pixels of the short side, even: the height of a landscape, the width of a portrait. */
  readonly height: number;
  /** Even sides. */
  readonly size: Size;
  /** Kilobits per second: never more, and what it should come to. */
  readonly maxKbps: number;
  readonly avgKbps: number;
}

export interface LadderWish {
  /** The source's size as people see it: pixels square, upright. */
  readonly shown: Size;
  readonly fps: number | null;
  /** Of the source's picture. */
  readonly sourceKbps: number | null;
  readonly codec: LadderCodec;
  /** Short sides. Without, they are chosen. */
  readonly heights?: readonly number[] | undefined;
}

export interface Ladder {
  /** From the best down; one at least. */
  readonly rungs: readonly Rung[];
  readonly decisions: readonly string[];
}

const USUAL_HEIGHTS = [2160, 1440, 1080, 720, 480, 360, 240];
const MOST_RUNGS = 6;
/** Rungs closer than this look alike, and a player that changes between them gains nothing. */
const LEAST_STEP = 1.15;

/**
 * Average kilobits per second of H.264 with up to 30 frames per second, by the short side of 16:9 (Apple, HLS Authoring
 * Specification; 1440 and above go on in its line).
 */
const KBPS: readonly (readonly [height: number, kbps: number])[] = [
  [234, 145],
  [360, 365],
  [432, 1100],
  [540, 2000],
  [720, 3000],
  [1080, 4500],
  [1440, 8000],
  [2160, 14_000],
];
/** 4500 on average are 6000 at most. */
const PEAK = 4 / 3;
const FAST_MOTION = 1.5;
const THRIFT: Readonly<Record<LadderCodec, number>> = { h264: 1, hevc: 0.6, av1: 0.5 };

/** Bits that are no use, since the source has not got them either: this much more than its own is enough for a new encode. */
const SOURCE_HEADROOM = 1.5;
/** Half the pixels need more than half the bits. */
const BITS_OVER_PIXELS = 0.75;
/** A source's rate may be wrong, or be that of a slide show: no less than this part of the usual. */
const LEAST_PART = 0.25;

/** The rungs of a source. None is larger than it is. */
export function ladderFor({ shown, fps, sourceKbps, codec, heights }: LadderWish): Ladder {
  const own = Math.min(shown.width, shown.height);
  const picked = heights === undefined ? usual(own) : asked(own, heights);
  const seen = new Set<string>();
  let held = false;
  const rungs: Rung[] = [];
  for (const side of picked.sides) {
    const size = sizeOf(shown, side);
    const height = Math.min(size.width, size.height);
    const name = `v${height}`;
    if (seen.has(name)) continue;
    seen.add(name);
    const wished = usualKbps(size, fps) * THRIFT[codec];
    const cap = sourceKbps === null ? Infinity : sourceCap(size, shown, sourceKbps);
    const kbps = Math.min(wished, Math.max(cap, wished * LEAST_PART));
    held ||= kbps < wished;
    rungs.push({ name, height, size, maxKbps: printed(kbps * PEAK), avgKbps: printed(kbps) });
  }
  const sizes = rungs.map(({ size }) => `${size.width}×${size.height}`).join(', ');
  return {
    rungs,
    decisions: [
      `${rungs.length === 1 ? 'one rung' : `${rungs.length} rungs`}: ${sizes}`,
      ...picked.decisions,
      ...(held ? [`bitrates held back: the source itself has ${Math.round(sourceKbps ?? 0)} kb/s`] : []),
    ],
  };
}

interface Picked {
  /** From the largest down. */
  readonly sides: readonly number[];
  readonly decisions: readonly string[];
}

/** The usual heights that the source has; and its own, where it lies between two of them. */
function usual(own: number): Picked {
  const largest = USUAL_HEIGHTS[0] ?? own;
  const sides: number[] = [];
  for (const side of [Math.min(own, largest), ...USUAL_HEIGHTS]) {
    const last = sides.at(-1) ?? Infinity;
    if (last >= side * LEAST_STEP && side <= own) sides.push(side);
  }
  return { sides: sides.slice(0, MOST_RUNGS), decisions: [] };
}

/** The heights that were asked for and that the source has; its own size takes the place of those above it. */
function asked(own: number, heights: readonly number[]): Picked {
  const wished = [...new Set(heights)].sort((a, b) => b - a);
  const above = wished.filter((side) => side > own);
  const sides = wished.filter((side) => side <= own);
  if (above.length === 0) return { sides, decisions: [] };
  const replaced = own >= (sides[0] ?? 0) * LEAST_STEP;
  const names = above.length === 1 ? `${above[0]} is` : `${above.join(', ')} are`;
  return {
    sides: replaced ? [own, ...sides] : sides,
    decisions: [
      `${names} left out: the source's short side is ${own}, and nothing is enlarged${replaced ? '; its own size is the top rung instead' : ''}`,
    ],
  };
}

function sizeOf(shown: Size, side: number): Size {
  const portrait = shown.height > shown.width;
  return fitInto(shown, { [portrait ? 'width' : 'height']: side, fit: 'inside' }).final;
}

/** By its pixels, so that a panorama or a square gets what it needs. Between two rows, along a line of logarithms. */
function usualKbps({ width, height }: Size, fps: number | null): number {
  const side = Math.sqrt((width * height * 9) / 16);
  const found = KBPS.findIndex(([limit]) => side <= limit);
  const upper = Math.min(Math.max(1, found === -1 ? KBPS.length - 1 : found), KBPS.length - 1);
  const [lowSide, lowKbps] = KBPS[upper - 1] ?? [1, 1];
  const [highSide, highKbps] = KBPS[upper] ?? [1, 1];
  const part = Math.log(side / lowSide) / Math.log(highSide / lowSide);
  // 30 and a bit is a phone's 30.
  return lowKbps * (highKbps / lowKbps) ** part * ((fps ?? 0) > 30.5 ? FAST_MOTION : 1);
}

function sourceCap(size: Size, shown: Size, sourceKbps: number): number {
  const pixels = (size.width * size.height) / (shown.width * shown.height);
  return sourceKbps * SOURCE_HEADROOM * pixels ** BITS_OVER_PIXELS;
}

/** Round numbers, and not so few that a tiny picture falls to pieces. */
function printed(kbps: number): number {
  return Math.max(50, Math.round(kbps / 10) * 10);
}
