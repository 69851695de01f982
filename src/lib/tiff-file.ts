// Pixels as an uncompressed TIFF in memory (TIFF 6.0): the plainest file that carries a colour profile.

/** Samples of 8 bits, interleaved: three of them RGB, a fourth alpha that is not premultiplied. */
export interface TiffPixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

const SHORT = 3;
const LONG = 4;
const UNDEFINED = 7;

/** `profile`: ICC, as bytes. */
export function tiffFile(
  { data, width, height, channels }: TiffPixels,
  profile?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const entries: [tag: number, type: number, count: number, value: number][] = [];
  const extras: [at: number, bytes: Uint8Array][] = [];
  const count = 10 + (channels === 4 ? 1 : 0) + (profile === undefined ? 0 : 1);
  let end = 8 + 2 + count * 12 + 4;
  const put = (bytes: Uint8Array): number => {
    const at = end;
    extras.push([at, bytes]);
    end += bytes.length + (bytes.length % 2);
    return at;
  };
  const bits = new Uint8Array(new Uint16Array(channels).fill(8).buffer);
  entries.push([256, LONG, 1, width], [257, LONG, 1, height]);
  entries.push([258, SHORT, channels, put(bits)]);
  // No compression, RGB, one strip, samples beside one another.
  entries.push([259, SHORT, 1, 1], [262, SHORT, 1, 2]);
  const strip: [number, number, number, number] = [273, LONG, 1, 0];
  entries.push(strip, [277, SHORT, 1, channels], [278, LONG, 1, height], [279, LONG, 1, data.length]);
  entries.push([284, SHORT, 1, 1]);
  if (channels === 4) entries.push([338, SHORT, 1, 2]);
  if (profile !== undefined) entries.push([34_675, UNDEFINED, profile.length, put(profile)]);
  strip[3] = end;

  const file = new Uint8Array(end + data.length);
  const view = new DataView(file.buffer);
  view.setUint16(0, 0x4949);
  view.setUint16(2, 42, true);
  view.setUint32(4, 8, true);
  view.setUint16(8, entries.length, true);
  for (const [index, [tag, type, many, value]] of entries.entries()) {
    const at = 10 + index * 12;
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, type, true);
    view.setUint32(at + 4, many, true);
    view.setUint32(at + 8, value, true);
  }
  for (const [at, bytes] of extras) file.set(bytes, at);
  file.set(data, end);
  return file;
}
