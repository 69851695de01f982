// Work on jobs: the engines' handlers, put to the lanes that this process works on.

import { lenientMeters, recallingRecords } from '../access/away.ts';
import { createMeterFetched } from '../access/fetched-bytes.ts';
import { createTenants, usualLimits } from '../access/tenants.ts';
import type { JobQueue } from '../contracts.ts';
import type { Aftermath } from '../jobs/aftermath.ts';
import { partHandler } from '../jobs/chunk-parts.ts';
import { createGround } from '../jobs/ground.ts';
import type { Lane } from '../jobs/job.ts';
import { lastingEnd } from '../jobs/lasting-end.ts';
import { logged } from '../jobs/logged-handler.ts';
import { jobHandlers } from '../jobs/runner.ts';
import { createSafeDownload } from '../lib/safe-download.ts';
import type { Backends } from './backends.ts';
import type { Life } from './life.ts';
import type { Media } from './media.ts';

/** Takes jobs from now on, until the queue is closed. */
export function startWork(
  life: Life,
  { store, records, meters, fleet }: Backends,
  { images, videos, uploads, rules }: Media,
  { queue, aftermath }: { readonly queue: JobQueue; readonly aftermath: Aftermath },
): void {
  const { config, meter, log, lanes } = life;
  const handlers = jobHandlers({
    store,
    images,
    videos,
    uploads: uploads.uploads,
    filmSeconds: config.FILM_SECONDS,
    download: createSafeDownload(rules),
    meterFetched: createMeterFetched({
      meters: fleet ? lenientMeters(meters, fleet) : meters,
      limitsOf: createTenants({
        records: fleet ? recallingRecords(records, fleet) : records,
        defaults: usualLimits(config),
      }).limitsOf,
      now: records.now,
    }),
    limits: { imageMaxBytes: config.IMAGE_MAX_BYTES, videoMaxBytes: config.VIDEO_MAX_BYTES },
    ...(fleet && { lasts: lastingEnd({ queue, leaving: life.leaving }) }),
  });
  const slots = slotsOf(life);
  const ground = createGround(store);
  for (const lane of lanes) {
    const handler = meter.handler(aftermath.after(logged(handlers[lane], log)), lane);
    queue.work(lane, ground.under(handler), { concurrency: slots[lane] });
  }
  if (slots.chunk === 0) return;
  const parts = partHandler({ store, videos, uploads: uploads.uploads });
  queue.workParts?.(ground.under(parts), { concurrency: slots.chunk });
}

/** How many jobs of each lane this machine runs at once, and how many parts of films, all its processes together. */
export function slotsOf({
  config,
  lanes,
  doesParts,
}: Pick<Life, 'config' | 'lanes' | 'doesParts'>): Record<Lane | 'chunk', number> {
  const of = (lane: Lane, slots: number): number => (lanes.includes(lane) ? slots : 0);
  return {
    image: of('image', config.PROCESSES * config.IMAGE_THREADS),
    video: of('video', config.VIDEO_SLOTS),
    film: of('film', config.FILM_SLOTS),
    fetch: of('fetch', config.FETCH_SLOTS),
    chunk: doesParts && config.VIDEO_CHUNKS === 'auto' ? config.CHUNK_SLOTS : 0,
  };
}
