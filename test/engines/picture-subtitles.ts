// Subtitles of a Blu-ray (PGS), made by hand: FFmpeg reads them but cannot write them.

/** A white bar of a size at a place, on a canvas, shown from one second to another. As a `.sup` file. */
export function barSubtitles(
  canvas: { width: number; height: number },
  bar: { left: number; top: number; width: number; height: number },
  shown: { from: number; to: number },
): Buffer {
  const place = words(bar.left, bar.top);
  const windows = segment(0x17, [1, 0, ...place, ...words(bar.width, bar.height)]);
  const composition = (number: number, state: number, objects: readonly number[][]) =>
    segment(0x16, [
      ...words(canvas.width, canvas.height),
      0x10,
      ...words(number),
      state,
      0,
      0,
      objects.length,
      ...objects.flat(),
    ]);
  // Entry 1: white and opaque, as Y, Cr, Cb and alpha.
  const palette = segment(0x14, [0, 0, 1, 235, 128, 128, 255]);
  const line = [0x00, 0xc0 | (bar.width >> 8), bar.width & 0xff, 1, 0x00, 0x00];
  const drawing = Array.from({ length: bar.height }, () => line).flat();
  const length = drawing.length + 4;
  const object = segment(0x15, [
    ...words(0),
    0,
    0xc0,
    ...[length >> 16, (length >> 8) & 0xff, length & 0xff],
    ...words(bar.width, bar.height),
    ...drawing,
  ]);
  const end = segment(0x80, []);
  const show = [composition(0, 0x80, [[...words(0), 0, 0, ...place]]), windows, palette, object, end];
  const hide = [composition(1, 0x00, []), windows, end];
  return Buffer.concat([...show.map((part) => part(shown.from)), ...hide.map((part) => part(shown.to))]);
}

function words(...values: readonly number[]): number[] {
  return values.flatMap((value) => [value >> 8, value & 0xff]);
}

/** `PG`, two times in 1/90000 s, kind, length, content. */
function segment(kind: number, content: readonly number[]): (seconds: number) => Buffer {
  return (seconds) => {
    const head = Buffer.alloc(13);
    head.write('PG', 'latin1');
    head.writeUInt32BE(Math.round(seconds * 90_000), 2);
    head.writeUInt8(kind, 10);
    head.writeUInt16BE(content.length, 11);
    return Buffer.concat([head, Buffer.from(content)]);
  };
}
