// GIF: the screen, and as many frames as there are (GIF89a, sections 18–26).

import type { HeaderFacts } from './header-facts.ts';

export function readGif(view: DataView): HeaderFacts {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const width = view.getUint16(6, true);
  const height = view.getUint16(8, true);
  let frames = 0;
  let alpha = false;
  let at = 13 + tableBytes(view.getUint8(10));
  // Past the end `bytes[at]` is undefined, which is none of the blocks: a cut-off GIF has the frames that are there.
  for (;;) {
    const block = bytes[at];
    if (block === 0x2c) {
      frames++;
      at += 11 + tableBytes(bytes[at + 9] ?? 0);
    } else if (block === 0x21) {
      // Graphic control extension: its first flag says that one colour means transparent.
      if (bytes[at + 1] === 0xf9 && ((bytes[at + 3] ?? 0) & 1) === 1) alpha = true;
      at += 2;
    } else {
      break;
    }
    for (let length = bytes[at]; length !== undefined && length > 0; length = bytes[at]) at += 1 + length;
    at++;
  }
  if (frames === 0) throw new RangeError('no frame');
  return { width, height, frames, alpha, orientation: 1, scans: 1 };
}

/** Bytes of the colour table that a packed field announces. */
function tableBytes(packed: number): number {
  return (packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1);
}
