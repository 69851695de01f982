// An image engine that counts what it is asked for: waiting, working, pixels, outcomes.

import type { ImageEngine } from '../engine-contracts.ts';
import type { Metrics } from './metrics.ts';

export function meteredImages(
  engine: ImageEngine,
  metrics: Pick<Metrics, 'imageWaitSeconds' | 'imageSeconds' | 'images' | 'imagePixels'>,
): ImageEngine {
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    try {
      const result = await work;
      metrics.images.add(1, 'succeeded');
      return result;
    } catch (error) {
      metrics.images.add(1, 'failed');
      throw error;
    }
  };
  return {
    async render(source, outputs, options) {
      const rendering = await counted(engine.render(source, outputs, options));
      const { images, queueMs, processMs } = rendering;
      metrics.imageWaitSeconds.observe(queueMs / 1000);
      const format = images.length === 1 ? images[0]!.mediaType.slice('image/'.length) : 'set';
      metrics.imageSeconds.observe(processMs / 1000, format);
      metrics.imagePixels.add(rendering.source.width * rendering.source.height, 'in');
      for (const { width, height } of images) metrics.imagePixels.add(width * height, 'out');
      return rendering;
    },
    inspect: (...task) => counted(engine.inspect(...task)),
    admit: () => engine.admit(),
    load: () => engine.load(),
    close: () => engine.close(),
  };
}
