// The arithmetic of resize: how many times smaller a picture gets, and which part of it stays. Sharp's own, extended.

import type { Size } from '../image-operation.ts';

export const LIMITS = ['minWidth', 'minHeight', 'maxWidth', 'maxHeight'] as const;

export interface Wish {
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fit: 'inside' | 'outside' | 'cover' | 'contain' | 'fill';
  readonly enlarge: boolean;
  /** `x,y`: pixels, or where neither is above 1 parts of the sides. */
  readonly focus?: string | undefined;
  readonly minWidth?: number | undefined;
  readonly minHeight?: number | undefined;
  readonly maxWidth?: number | undefined;
  readonly maxHeight?: number | undefined;
}

/** The same wish in pixels of the device: all sides times `dpr`. */
export function inDevicePixels<T extends Wish & { readonly dpr: number }>(wish: T): T {
  if (wish.dpr === 1) return wish;
  const sides = (['width', 'height', ...LIMITS] as const).flatMap((name) => {
    const side = wish[name];
    return side === undefined ? [] : [[name, Math.max(1, Math.round(side * wish.dpr))] as const];
  });
  return { ...wish, ...Object.fromEntries(sides), dpr: 1 };
}

export const isLimited = (wish: Wish): boolean => LIMITS.some((name) => wish[name] !== undefined);

/** Cover cuts and contain fills after scaling; cover only if the box has two sides. */
export function hasBox({ width, height, fit }: Wish): boolean {
  return fit === 'contain' || (fit === 'cover' && width !== undefined && height !== undefined);
}

/** How many times smaller it gets in each direction: sharp's ResolveShrink (its common.cc), so that both agree. */
export function shrinks(wish: Wish, size: Size): { across: number; down: number } {
  const { width, height, fit, enlarge } = wish;
  let across = width === undefined ? undefined : size.width / width;
  let down = height === undefined ? undefined : size.height / height;
  if (fit === 'fill') {
    across ??= 1;
    down ??= 1;
  } else if (across === undefined || down === undefined) {
    across = down = across ?? down ?? 1;
  } else {
    const covers = fit === 'cover' || fit === 'outside';
    across = down = covers ? Math.min(across, down) : Math.max(across, down);
  }
  const least = enlarge ? 0 : 1;
  return {
    across: Math.min(limited(Math.max(least, across), wish, size), size.width),
    down: Math.min(limited(Math.max(least, down), wish, size), size.height),
  };
}

/** At least so large, if need be enlarged; and above all at most so large. */
function limited(times: number, { minWidth, minHeight, maxWidth, maxHeight }: Wish, size: Size): number {
  const most = Math.min(size.width / (minWidth ?? 0), size.height / (minHeight ?? 0));
  const least = Math.max(size.width / (maxWidth ?? Infinity), size.height / (maxHeight ?? Infinity));
  return Math.max(Math.min(times, most), least);
}

export function scaledSize(wish: Wish, size: Size): Size {
  const { across, down } = shrinks(wish, size);
  return { width: Math.round(size.width / across), height: Math.round(size.height / down) };
}

/** The part of the scaled picture that has the focus as near to its middle as can be. */
export function focusedPart(
  focus: string,
  scaled: Size,
  box: Size,
  source: Size,
): Size & { left: number; top: number } {
  const [x = 0, y = 0] = focus.split(',').map(Number);
  const inParts = x <= 1 && y <= 1;
  const at = (value: number, full: number, side: number, part: number): number => {
    const middle = (inParts ? value : value / full) * side;
    return Math.round(Math.min(Math.max(0, middle - part / 2), side - part));
  };
  return {
    left: at(x, source.width, scaled.width, box.width),
    top: at(y, source.height, scaled.height, box.height),
    ...box,
  };
}
