// The boxes of an MP4 file, each held within the one around it (ISO/IEC 14496-12, 4.2). Sizes are not trusted.

export interface Box {
  /** Four characters. */
  readonly type: string;
  /** What is inside, header not included. */
  readonly body: DataView;
  /** Bytes from the beginning of the view that it was found in, to its header and to its end. */
  readonly start: number;
  readonly end: number;
}

/**
 * The boxes of a view, one after the other, from a byte on. A box that is smaller than its header or reaches beyond the
 * view throws RangeError, as a DataView does; so each step moves on by 8 bytes at least.
 */
export function* boxes(view: DataView, from = 0): Generator<Box, void> {
  for (let at = from; at < view.byteLength; ) {
    const type = fourCharacters(view, at + 4);
    const left = view.byteLength - at;
    const short = view.getUint32(at);
    const header = short === 1 ? 16 : 8;
    // 1: the size is in 64 bits behind the type. 0: all that is left.
    const size = short === 1 ? Number(view.getBigUint64(at + 8)) : short === 0 ? left : short;
    if (size < header || size > left) {
      throw new RangeError(`a box says that it has ${size} bytes where ${left} are left`);
    }
    yield { type, body: slice(view, at + header, size - header), start: at, end: at + size };
    at += size;
  }
}

/** The first box of a type, or undefined. */
export function findBox(view: DataView, type: string, from = 0): DataView | undefined {
  for (const box of boxes(view, from)) if (box.type === type) return box.body;
  return undefined;
}

/** The box that a path of types leads to. Throws RangeError where there is none. */
export function boxAt(view: DataView, ...path: readonly string[]): DataView {
  let body = view;
  for (const type of path) {
    const found = findBox(body, type);
    if (found === undefined) throw new RangeError(`there is no ${type} box`);
    body = found;
  }
  return body;
}

/** A part of a view. Throws RangeError where it does not lie inside. */
export function slice(view: DataView, at: number, length = view.byteLength - at): DataView {
  if (at < 0 || length < 0 || at + length > view.byteLength) throw new RangeError('beyond the end');
  return new DataView(view.buffer, view.byteOffset + at, length);
}

export function fourCharacters(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint8(at),
    view.getUint8(at + 1),
    view.getUint8(at + 2),
    view.getUint8(at + 3),
  );
}
