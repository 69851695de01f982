// The endpoints of each tenant: all in one record, so that their number, and every change, is decided by one compare-and-set.

import type { RecordKind, Records } from '../contracts.ts';
import { Problem } from '../problems.ts';
import type { Endpoint } from './endpoint.ts';

/** By tenant. */
const ENDPOINTS: RecordKind<{ readonly endpoints: readonly Endpoint[] }> = { name: 'webhooks' };

export const MAX_ENDPOINTS = 20;

export interface Endpoints {
  /** The oldest first. */
  list(tenant: string): Promise<readonly Endpoint[]>;
  get(tenant: string, id: string): Promise<Endpoint | undefined>;
  /** Resolves with the one that is there; of an id that is known: with that, as it is. Rejects `webhook_limit`. */
  add(tenant: string, endpoint: Endpoint): Promise<Endpoint>;
  /** Resolves with what it has become; undefined if there is none. `change` may be called again, with a newer one. */
  update(tenant: string, id: string, change: (endpoint: Endpoint) => Endpoint): Promise<Endpoint | undefined>;
  /** False if there is none. */
  remove(tenant: string, id: string): Promise<boolean>;
}

export function openEndpoints(records: Records): Endpoints {
  async function list(tenant: string): Promise<readonly Endpoint[]> {
    return (await records.get(ENDPOINTS, tenant))?.value.endpoints ?? [];
  }

  /** False where `change` gives back what it was given, and nothing is written. */
  async function rewrite(
    tenant: string,
    change: (endpoints: readonly Endpoint[]) => readonly Endpoint[],
  ): Promise<boolean> {
    for (;;) {
      const stored = await records.get(ENDPOINTS, tenant);
      const before = stored?.value.endpoints ?? [];
      const endpoints = change(before);
      if (endpoints === before) return false;
      if (await records.put(ENDPOINTS, tenant, { endpoints }, { group: tenant }, stored?.version ?? 0))
        return true;
    }
  }

  return {
    list,
    get: async (tenant, id) => (await list(tenant)).find((endpoint) => endpoint.id === id),

    async add(tenant, endpoint) {
      let there = endpoint;
      await rewrite(tenant, (before) => {
        const known = before.find(({ id }) => id === endpoint.id);
        there = known ?? endpoint;
        if (known !== undefined) return before;
        if (before.length >= MAX_ENDPOINTS) {
          throw new Problem(
            'webhook_limit',
            `There are ${before.length} webhooks, and there may be ${MAX_ENDPOINTS}. Remove one by DELETE /v1/webhooks/{id}.`,
          );
        }
        return [...before, endpoint];
      });
      return there;
    },

    async update(tenant, id, change) {
      let after: Endpoint | undefined;
      await rewrite(tenant, (before) => {
        const known = before.find((endpoint) => endpoint.id === id);
        after = known && change(known);
        return after === known ? before : before.map((each) => (each === known ? (after ?? each) : each));
      });
      return after;
    },

    remove: (tenant, id) =>
      rewrite(tenant, (before) =>
        before.some((endpoint) => endpoint.id === id)
          ? before.filter((endpoint) => endpoint.id !== id)
          : before,
      ),
  };
}
