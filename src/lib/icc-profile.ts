// An ICC profile's name and colour space (ICC.1:2022, 7.2 and 10.15; version 2's textDescriptionType, ICC.1:2001, 6.5.17).

export interface IccProfile {
  readonly name: string | null;
  /** As the profile names it: RGB, CMYK, GRAY, Lab … */
  readonly space: string | null;
}

const MOST_TAGS = 200;
const MOST_BYTES = 400;

/** Never throws: what cannot be read is null. */
export function readIccProfile(bytes: Uint8Array): IccProfile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const latin = (at: number, length: number): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', at, at + length);
  const space = clean(latin(16, 4));
  if (view.byteLength < 132) return { name: null, space };
  const tags = Math.min(view.getUint32(128), MOST_TAGS);
  for (let i = 0; i < tags && 132 + i * 12 + 12 <= view.byteLength; i++) {
    const entry = 132 + i * 12;
    if (latin(entry, 4) !== 'desc') continue;
    const at = view.getUint32(entry + 4);
    if (at + 28 > view.byteLength) break;
    const type = latin(at, 4);
    if (type === 'desc') {
      return { name: clean(latin(at + 12, Math.min(view.getUint32(at + 8), MOST_BYTES))), space };
    }
    if (type === 'mluc') {
      const from = at + view.getUint32(at + 24);
      const length = Math.min(view.getUint32(at + 20), MOST_BYTES, Math.max(0, view.byteLength - from));
      const text = new Uint8Array(bytes.buffer, bytes.byteOffset + Math.min(from, view.byteLength), length);
      return { name: clean(new TextDecoder('utf-16be').decode(text)), space };
    }
    break;
  }
  return { name: null, space };
}

function clean(text: string): string | null {
  const safe = (text.split('\0')[0] ?? '').replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\uFFFD]/gu, '').trim();
  return safe === '' ? null : safe;
}
