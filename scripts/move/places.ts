// The two places of a move: what a data folder keeps, and what the settings name. What both share is opened once.

import { randomUUID } from 'node:crypto';
import type { Config } from '../../src/config.ts';
import type { BlobStore, JobQueue, Records } from '../../src/contracts.ts';
import { STORE_OWNER } from '../../src/jobs/store-owner.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import type { Logger } from '../../src/logger.ts';
import type { Marker } from '../../src/move/marker.ts';
import type { Place } from '../../src/move/place.ts';
import { openQueue } from '../../src/queues/open.ts';
import { openRecords } from '../../src/registers/open.ts';
import { openStore } from '../../src/stores/open.ts';

export interface Places extends AsyncDisposable {
  readonly embedded: Place;
  readonly fleet: Place;
}

export interface PlacesOptions {
  /** Of the fleet. */
  readonly config: Config;
  /** What was moved before is taken for what both places share. */
  readonly moved: Marker;
  readonly log: Logger;
}

/** Whether there is neither a job nor a record. */
export async function isEmpty({ queue, records }: Place): Promise<boolean> {
  const [job, record] = await Promise.all([queue.dump(undefined, 1), records.dump(undefined, 2)]);
  // A fleet that was only started has said whose its store is.
  return job.length === 0 && record.every(({ kind }) => kind === STORE_OWNER.name);
}

/** Opens only what it needs, and closes all of it when it is disposed of. */
export async function openPlaces({ config, moved, log }: PlacesOptions): Promise<Places> {
  await using stack = new AsyncDisposableStack();
  const owner = `move-${randomUUID()}`;
  const near: Config = { ...config, QUEUE: 'sqlite', STORE: 'disk' };

  async function queueOf(settings: Config): Promise<JobQueue> {
    // Nobody is told of anything: no server runs.
    const queue = await openQueue(settings, { owner, machine: owner, hints: localHints(), log });
    stack.defer(() => queue.close());
    return queue;
  }
  async function recordsOf(settings: Config): Promise<Records> {
    const records = await openRecords(settings);
    stack.defer(() => records.close());
    return records;
  }
  async function storeOf(settings: Config): Promise<BlobStore> {
    // Each has a folder of its own for what is not finished, both below DATA_DIR.
    const store = await openStore(settings, { owner: `${owner}-${settings.STORE}`, log });
    stack.defer(() => store.close());
    return store;
  }
  async function documentsOf(settings: Config): Promise<Pick<Place, 'queue' | 'records'>> {
    return { records: await recordsOf(settings), queue: await queueOf(settings) };
  }

  const movesQueue = config.QUEUE === 'bullmq' && moved.queue === undefined;
  const movesStore = config.STORE === 's3' && moved.store === undefined;
  const farStore = await storeOf(config);
  const farDocuments = await documentsOf(config);
  const embedded = {
    store: movesStore ? await storeOf(near) : farStore,
    ...(movesQueue ? await documentsOf(near) : farDocuments),
  };
  const open = stack.move();
  return {
    embedded,
    fleet: { store: farStore, ...farDocuments },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
