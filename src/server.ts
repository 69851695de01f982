// The composition root: opens what the settings ask for, from the ground up, and closes it in reverse.

import { createKeys } from './access/keys.ts';
import { assertReach } from './access/reach.ts';
import { readFallbackImage } from './jobs/fallback-image.ts';
import { readPresets } from './jobs/presets.ts';
import { ownVersion } from './lib/own-version.ts';
import type { MachineView } from './metrics/machine.ts';
import { watchOwnMachine } from './metrics/own-machine.ts';
import { createReadiness } from './metrics/readiness.ts';
import type { Report } from './metrics/report.ts';
import { openQueue } from './queues/open.ts';
import { startAfterwards } from './server/afterwards.ts';
import { openBackends } from './server/backends.ts';
import { openRenditions } from './server/cache.ts';
import { beginLife } from './server/life.ts';
import type { LifeOptions } from './server/life.ts';
import { openMedia } from './server/media.ts';
import { serve } from './server/serve.ts';
import { slotsOf, startWork } from './server/work.ts';

export interface ServerOptions extends LifeOptions {
  /** The primary's view of the machine, if it answers in time. */
  readonly askPrimary?: () => Promise<MachineView | undefined>;
}

export interface Server {
  /** E.g. `http://127.0.0.1:3000`; undefined where it only works on jobs. */
  readonly address: string | undefined;
  /**
   * Readiness turns, answers say `Connection: close`, no connection is taken any more, requests in flight end, jobs are
   * handed back. Resolves when everything is closed, about at `deadline` (milliseconds since 1970) at the latest.
   */
  close(deadline: number, why?: 'stop' | 'reload' | 'overrun'): Promise<void>;
  /** What this process tells of itself, also after it was closed. */
  readonly report: Report;
}

/** Where other processes serve on, idle keep-alive connections get so long, in milliseconds, to send one more request and be told `Connection: close`. */
const DRAIN_GRACE_MS = 5000;

/**
 * Opens everything and listens. Rejects with ConfigError for a wrong presets file, and where others could reach a server
 * without keys; with `backend_unavailable` where Redis or S3 do not answer.
 */
export async function startServer({ askPrimary, ...options }: ServerOptions): Promise<Server> {
  await using stack = new AsyncDisposableStack();
  const { life, end } = beginLife(options, stack);
  const { config, log, owner, machine: machineId, meter, isWeb, leaving } = life;
  const presets = await readPresets(config.PRESETS_FILE);
  const fallback = await readFallbackImage(config.FALLBACK_IMAGE);
  const version = await ownVersion();

  const backends = await openBackends(life);
  const { records, meters, store, hints, fleet } = backends;
  if (isWeb) await assertReach(config, createKeys({ records }));
  const { cache, purge } = await openRenditions(life, backends);
  const media = await openMedia(life, backends, purge);
  const { images, videos, sources, uploads: received } = media;
  const queue = await openQueue(config, { owner, machine: machineId, hints, log, leaving });
  stack.defer(() => queue.close({ deadline: life.deadline() }));
  const { webhooks, aftermath } = startAfterwards(life, backends, media, { queue, version });
  startWork(life, backends, media, { queue, aftermath });

  const readiness = createReadiness({
    queue,
    store,
    videos,
    leaving,
    isReachable: fleet?.isReachable,
    isStoreRemote: config.STORE === 's3',
    isWeb,
  });
  const slots = slotsOf(life);
  const report = await meter.report(
    { queue, store, images, slots, version, isReachable: fleet?.isReachable, readiness },
    config.ADMIN_PORT !== undefined,
  );
  const machine = watchOwnMachine(report, log, life.duties, askPrimary);
  stack.defer(() => machine.close());

  let graceMs = 0;
  const address =
    cache &&
    (await serve(
      life,
      {
        ...{ queue, records, meters, store, images, videos, sources, cache, presets, fallback, version },
        ...{ webhooks, aftermath, readiness, received, isReachable: fleet?.isReachable },
        uploads: received.uploads,
        traffic: meter.traffic,
        machine: () => machine.view(),
      },
      () => graceMs,
    ));

  const open = stack.move();
  return {
    address,
    report,
    close(until, why = 'stop') {
      graceMs = why === 'stop' ? 0 : DRAIN_GRACE_MS;
      end(until);
      return open.disposeAsync();
    },
  };
}
