// How many uploads a tenant may have open at once: those that are being received or joined, and parts.

import type { Meters } from '../contracts.ts';
import { Problem } from '../problems.ts';

export interface OpenPlaces {
  /** Takes a place for a new upload. Rejects `quota_exceeded` where the tenant has none left. */
  enter(id: string, tenant: string): Promise<void>;
  /** Bytes came: the upload lives on. */
  renew(id: string, tenant: string): Promise<void>;
  /** It is complete, or gone. */
  leave(id: string, tenant: string): Promise<void>;
}

export interface OpenPlacesOptions {
  readonly meters: Pick<Meters, 'enter' | 'renew' | 'leave'>;
  readonly most: number;
  /** Of an unfinished upload, after its last byte. */
  readonly partTtlSeconds: number;
}

/** A place outlives its upload a little, in milliseconds: it comes free by the sweep, or else by its lease. */
const LONGER_MS = 3_600_000;

/** Counted, and not looked up among all that a tenant has: one write, however many there are. */
export function createOpenPlaces({ meters, most, partTtlSeconds }: OpenPlacesOptions): OpenPlaces {
  const leaseMs = partTtlSeconds * 1000 + LONGER_MS;
  const gateOf = (tenant: string): string => `uploads:${tenant}`;
  return {
    async enter(id, tenant) {
      if (await meters.enter(gateOf(tenant), most, id, leaseMs)) return;
      throw new Problem(
        'quota_exceeded',
        `The tenant ${tenant} has ${most} uploads that are not finished, or parts, which is the most it may have. Finish or remove some of them first.`,
      );
    },
    renew: (id, tenant) => meters.renew(gateOf(tenant), id, leaseMs),
    leave: (id, tenant) => meters.leave(gateOf(tenant), id),
  };
}

/** Where nobody counts. */
export const NO_PLACES: OpenPlaces = {
  enter: async () => undefined,
  renew: async () => undefined,
  leave: async () => undefined,
};
