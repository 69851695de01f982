// What each header reader answers, before orientation is applied.

/** A reader throws RangeError, as DataView does, for what cannot be read. */
export interface HeaderFacts {
  /** Pixels as stored. */
  readonly width: number;
  readonly height: number;
  /** How often the file has a whole picture; only those of GIF and WebP are all decoded. */
  readonly frames: number;
  /** It may have transparent parts. */
  readonly alpha: boolean;
  /** EXIF orientation, 1–8 (EXIF 2.32, 4.6.4); 1 where there is none. */
  readonly orientation: number;
  /** Scans of a JPEG that needs every one of them; 1 for all others. */
  readonly scans: number;
  /** Red, green and blue of 16 bits each, with a colour profile: the decoder has a way of its own with them. */
  readonly deepProfile?: boolean;
}

/** The bytes of a view as Latin-1: for magic words. */
export function word(view: DataView, at: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(view.getUint8(at + i));
  return text;
}

/** A part of a view, cut where the view ends: what reads beyond it gets a RangeError. */
export function part(view: DataView, at: number, length: number): DataView {
  const start = Math.min(at, view.byteLength);
  return new DataView(
    view.buffer,
    view.byteOffset + start,
    Math.max(0, Math.min(length, view.byteLength - start)),
  );
}
