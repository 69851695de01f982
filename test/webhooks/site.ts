// Webhooks without a server around them: records on disk, a clock that the test moves, as many processes as it likes.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HintBus, Records } from '../../src/contracts.ts';
import { newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { newId } from '../../src/lib/id.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { createSafePost } from '../../src/lib/safe-post.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { newEndpoint, JOB_EVENTS } from '../../src/webhooks/endpoint.ts';
import type { Endpoint } from '../../src/webhooks/endpoint.ts';
import { DELIVERIES } from '../../src/webhooks/delivery.ts';
import type { Delivery } from '../../src/webhooks/delivery.ts';
import { startWebhooks } from '../../src/webhooks/webhooks.ts';
import type { Webhooks, WebhooksOptions } from '../../src/webhooks/webhooks.ts';
import { eventually } from '../support/eventually.ts';

export const TENANT = 'default';
export const OWN_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

export interface Site extends AsyncDisposable {
  readonly path: string;
  readonly records: Records;
  readonly hints: HintBus;
  now(): number;
  /** Time goes by, and every process looks at what is due. */
  pass(milliseconds: number): void;
  /** A process of its own, as far as records tell; trusts the receiver's certificate. */
  open(ca: string, options?: Partial<WebhooksOptions>): Promise<Webhooks>;
  /** The delivery, once it fits. */
  delivery(id: string, fits: (delivery: Delivery) => boolean): Promise<Delivery>;
}

export async function makeSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-webhooks-'));
  const path = join(folder, 'records.sqlite');
  let time = Date.now();
  const now = (): number => time;
  const hints: HintBus = localHints();
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true }));
  const openRecords = async (): Promise<Records> => {
    const opened = await openSqliteRecords({ path, now });
    stack.defer(() => opened.close());
    return opened;
  };
  const records = await openRecords();
  return {
    path,
    records,
    hints,
    now,
    pass(milliseconds) {
      time += milliseconds;
      hints.publish({ topic: 'delivery' });
    },
    async open(ca, options = {}) {
      const webhooks = startWebhooks({
        records: await openRecords(),
        hints,
        post: createSafePost({ ca, isAddressAllowed: () => true }),
        owner: newId(),
        secrets: [OWN_SECRET],
        version: '1.2.3',
        log: { info: () => undefined, warn: () => undefined },
        now,
        // Longer than any test: hints are what wakes it.
        pollMs: 3_600_000,
        ...options,
      });
      stack.defer(() => webhooks.close(0));
      return webhooks;
    },
    async delivery(id, fits) {
      return eventually(`delivery ${id}`, async () => {
        const value = (await records.get(DELIVERIES, id))?.value;
        return value !== undefined && fits(value) ? value : undefined;
      });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A job that has ended, and whose keys in the store nobody may see. */
export function endedJob(over: Partial<Job> = {}): Job {
  const id = newId();
  const job = newJob(
    {
      id,
      tenant: TENANT,
      lane: 'image',
      source: {
        key: `sources/${id}`,
        name: 'photo.jpg',
        mediaType: 'image/jpeg',
        bytes: 1000,
        width: 10,
        height: 10,
        durationSeconds: null,
      },
      recipe: { outputs: { small: { type: 'image', steps: [], format: 'webp' } } } as never,
    },
    Date.now(),
  );
  return {
    ...job,
    status: 'succeeded',
    phase: 'done',
    finishedAt: Date.now(),
    results: {
      small: {
        key: `results/${id}/run/small.webp`,
        mediaType: 'image/webp',
        bytes: 10,
        width: 1,
        height: 1,
        durationSeconds: null,
        decisions: [],
      },
    },
    ...over,
  };
}

export async function addEndpoint(
  webhooks: Pick<Webhooks, 'endpoints'>,
  url: string,
  events: Endpoint['events'] = JOB_EVENTS,
): Promise<Endpoint> {
  const endpoint = newEndpoint(url, events, Date.now());
  await webhooks.endpoints.add(TENANT, endpoint);
  return endpoint;
}

export const secretOf = (endpoint: Endpoint): string => endpoint.secrets[0]!.secret;
