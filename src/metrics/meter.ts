// Everything that counts in one process, put together: what the composition root wraps its parts with.

import type { BlobStore, JobHandler } from '../contracts.ts';
import type { ImageEngine } from '../engine-contracts.ts';
import type { ImageCache } from '../jobs/image-cache.ts';
import type { Lane } from '../jobs/job.ts';
import { meteredCache } from './metered-cache.ts';
import { meteredHandler } from './metered-handler.ts';
import { meteredImages } from './metered-images.ts';
import { meteredStore } from './metered-store.ts';
import { createMetrics } from './metrics.ts';
import type { Metrics } from './metrics.ts';
import { createReport } from './report.ts';
import type { Report, ReportOptions } from './report.ts';
import { createTraffic } from './traffic.ts';
import type { Traffic } from './traffic.ts';

export interface Meter {
  readonly metrics: Metrics;
  readonly traffic: Traffic;
  store(store: BlobStore): BlobStore;
  cache(cache: ImageCache): ImageCache;
  images(engine: ImageEngine): ImageEngine;
  handler(handler: JobHandler, lane: Lane): JobHandler;
  /** `scraped`: somebody reads the metrics, so the runtime is watched too. */
  report(of: Omit<ReportOptions, 'metrics' | 'traffic' | 'runtime'>, scraped: boolean): Promise<Report>;
}

export function createMeter(): Meter {
  const metrics = createMetrics();
  const traffic = createTraffic(metrics);
  return {
    metrics,
    traffic,
    store: (store) => meteredStore(store, metrics),
    cache: (cache) => meteredCache(cache, metrics),
    images: (engine) => meteredImages(engine, metrics),
    handler: (handler, lane) => meteredHandler(handler, lane, metrics),
    async report(of, scraped) {
      if (!scraped) return createReport({ ...of, metrics, traffic });
      // Loaded only where it is used: it is half as large as all the rest.
      const { watchRuntime } = await import('./runtime.ts');
      return createReport({ ...of, metrics, traffic, runtime: watchRuntime() });
    },
  };
}
