// Makes deliveries and finds them again: what is owed when a job ended, tests, replays.

import type { Page, RecordKind, Records } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job } from '../jobs/job.ts';
import { viewJob } from '../jobs/job-view.ts';
import { isId, newId } from '../lib/id.ts';
import { Problem } from '../problems.ts';
import { DELIVERIES, dropReason, newDelivery, placeOf, replayed } from './delivery.ts';
import type { Delivery } from './delivery.ts';
import type { Endpoint, EventType } from './endpoint.ts';
import type { Endpoints } from './endpoints.ts';

export interface Deliveries {
  /** Writes down what is owed for a job that has ended. Twice, or in two processes at once, is harmless. */
  owe(job: Job): Promise<void>;
  /** A message of type `test`. Rejects `webhook_disabled`. */
  test(tenant: string, endpoint: Endpoint): Promise<Delivery>;
  get(tenant: string, id: string): Promise<Delivery | undefined>;
  ofJob(tenant: string, jobId: string): Promise<readonly Delivery[]>;
  /** About the newest job first; `after` is the `next` of the page before. */
  ofEndpoint(
    tenant: string,
    endpointId: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<Page<Delivery>>;
  /** To be sent again, at once. Rejects `delivery_not_found`, `webhook_not_found`, `webhook_disabled`. */
  replay(tenant: string, id: string): Promise<Delivery>;
}

export interface DeliveriesOptions {
  readonly records: Records;
  readonly endpoints: Endpoints;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Something is due from now on. */
  readonly wake: () => void;
}

/** That an endpoint has a delivery of this id: records have one group, and that of a delivery is its job. */
const OF_ENDPOINT: RecordKind<Record<string, never>> = { name: 'endpoint-delivery' };
/** Stands for an endpoint's id where the job itself named the address. */
const OWN = 'job';
/** More than a job can have: one for each endpoint there was, and its own. */
const MOST_OF_A_JOB = 100;

export function openDeliveries({ records, endpoints, now, wake }: DeliveriesOptions): Deliveries {
  /** As it is to be seen: one that will not be sent any more says so, before its time comes. */
  async function standing(delivery: Delivery): Promise<Delivery> {
    const { tenant, endpointId, state } = delivery;
    if (state !== 'pending' || endpointId === null) return delivery;
    const reason = dropReason(delivery, await endpoints.get(tenant, endpointId));
    return reason === undefined ? delivery : { ...delivery, state: 'dropped', reason, nextAt: null };
  }

  /** False if it was there. In one turn, so that one commit holds both. */
  async function add(delivery: Delivery): Promise<boolean> {
    const [, isNew] = await Promise.all([
      list(delivery, 0),
      records.put(DELIVERIES, delivery.id, delivery, placeOf(delivery), 0),
    ]);
    return isNew;
  }

  /** Among those of its endpoint, for as long as it is kept. Whoever is first writes the same. */
  async function list(delivery: Delivery, version: number): Promise<void> {
    const { id, endpointId } = delivery;
    if (endpointId === null) return;
    const { expiresAt = null } = placeOf(delivery);
    await records.put(OF_ENDPOINT, id, {}, { group: endpointId, expiresAt }, version);
  }

  return {
    async owe(job) {
      if (!isFinished(job)) return;
      const type = `job.${job.status}` as EventType;
      const interested = (await endpoints.list(job.tenant)).filter(
        ({ disabledAt, events }) => disabledAt === null && events.some((event) => event === type),
      );
      if (interested.length === 0 && job.webhook === null) return;
      const body = payloadOf(type, job.finishedAt ?? now(), viewJob(job));
      const receivers = interested.map(({ id, url }) => ({ endpointId: id as string | null, url }));
      if (job.webhook !== null) receivers.push({ endpointId: null, url: job.webhook.url });
      const made = await Promise.all(
        receivers.map(({ endpointId, url }) => {
          // The same id whoever makes it: only the first is written.
          const id = `${job.id}.${endpointId ?? OWN}`;
          const { id: jobId, tenant, trace } = job;
          const told = { id, tenant, jobId, endpointId, url, eventType: type, body, trace };
          return add(newDelivery(told, now()));
        }),
      );
      if (made.includes(true)) wake();
    },

    async test(tenant, endpoint) {
      assertUsable(endpoint);
      const { id: endpointId, url } = endpoint;
      const id = `${newId(now())}.${endpointId}`;
      const body = payloadOf('test', now(), { webhookId: endpointId });
      const told = {
        id,
        tenant,
        jobId: null,
        endpointId,
        url,
        eventType: 'test' as const,
        body,
        trace: null,
      };
      const delivery = newDelivery(told, now());
      await add(delivery);
      wake();
      return delivery;
    },

    async get(tenant, id) {
      const found = isDeliveryId(id) ? await records.get(DELIVERIES, id) : undefined;
      return found?.value.tenant === tenant ? standing(found.value) : undefined;
    },

    async ofJob(tenant, jobId) {
      if (!isId(jobId)) return [];
      const { items } = await records.list(DELIVERIES, { group: jobId, limit: MOST_OF_A_JOB });
      const own = items.map(({ value }) => value).filter((delivery) => delivery.tenant === tenant);
      return Promise.all(own.map(standing));
    },

    async ofEndpoint(tenant, endpointId, page) {
      const { items, next } = await records.list(OF_ENDPOINT, { ...page, group: endpointId });
      const found = await Promise.all(items.map(({ id }) => records.get(DELIVERIES, id)));
      const own = found.flatMap((stored) => (stored?.value.tenant === tenant ? [stored.value] : []));
      return { items: await Promise.all(own.map(standing)), next };
    },

    async replay(tenant, id) {
      for (;;) {
        const stored = isDeliveryId(id) ? await records.get(DELIVERIES, id) : undefined;
        if (stored?.value.tenant !== tenant) throw noSuchDelivery(id);
        const { endpointId } = stored.value;
        if (endpointId !== null) assertUsable(await endpoints.get(tenant, endpointId));
        const after = replayed(stored.value, now());
        const isSame = after === stored.value;
        await list(after, (await records.get(OF_ENDPOINT, id))?.version ?? 0);
        if (isSame || (await records.put(DELIVERIES, id, after, placeOf(after), stored.version))) {
          wake();
          return after;
        }
      }
    },
  };
}

/** https://www.standardwebhooks.com, payload structure: what happened, when, and the thing itself. */
function payloadOf(type: EventType, at: number, data: object): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
}

function isDeliveryId(id: string): boolean {
  const [first = '', second = '', ...more] = id.split('.');
  return isId(first) && (second === OWN || isId(second)) && more.length === 0;
}

export function noSuchDelivery(id: string): Problem {
  return new Problem(
    'delivery_not_found',
    `There is no delivery ${JSON.stringify(id.slice(0, 100))}. They are kept for 30 days.`,
  );
}

function assertUsable(endpoint: Endpoint | undefined): void {
  if (endpoint === undefined)
    throw new Problem('webhook_not_found', 'The webhook that this was for has been removed.');
  if (endpoint.disabledAt !== null) {
    throw new Problem(
      'webhook_disabled',
      `The webhook is disabled (${endpoint.disabledReason}). Enable it first: PATCH /v1/webhooks/${endpoint.id} with { "enabled": true }.`,
    );
  }
}
