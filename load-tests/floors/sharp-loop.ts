// The floor of images: the same steps in bare sharp, in as many loops at once as the server has image threads.
// node sharp-loop.ts FILE WIDTH LOOPS: greets with one rendition, then runs for the seconds that each message asks for.

import { readFile } from 'node:fs/promises';
import sharp from 'sharp';

export interface SharpLoopHello {
  readonly rendition: Uint8Array;
}
export interface SharpLoopRun {
  readonly seconds: number;
}
export interface SharpLoopRan {
  readonly images: number;
  /** From the first begun to the last done. */
  readonly seconds: number;
}

const [file = '', width = '', loops = ''] = process.argv.slice(2);

// As the server's threads have them: one core an image, nothing remembered from one to the next.
sharp.concurrency(1);
sharp.cache(false);
const source = await readFile(file);

/** What `?width=N` means, see src/operations/image/resize.ts: fitted inside, never enlarged, upright, quality 80. */
function render(): Promise<Buffer> {
  return sharp(source)
    .autoOrient()
    .resize({ width: Number(width), fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer();
}

async function run({ seconds }: SharpLoopRun): Promise<SharpLoopRan> {
  const begun = performance.now();
  const until = begun + seconds * 1000;
  let images = 0;
  const loop = async (): Promise<void> => {
    do {
      await render();
      images++;
    } while (performance.now() < until);
  };
  await Promise.all(Array.from({ length: Number(loops) }, loop));
  return { images, seconds: (performance.now() - begun) / 1000 };
}

process.on('message', (message: SharpLoopRun) => {
  void run(message).then((ran) => process.send?.(ran));
});
process.send?.({ rendition: new Uint8Array(await render()) } satisfies SharpLoopHello);
