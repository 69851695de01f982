// How many uploads a tenant may have open at once: those that are being received or joined, and parts.

import type { Meters } from '../contracts.ts';
import { Problem } from '../problems.ts';

export interface OpenPlaces {
  /**
   * Takes a place for a new upload, which `note` writes down; given back if that fails. Rejects `quota_exceeded` where the
   * tenant has none left.
   */
  enter(id: string, tenant: string, note: () => Promise<unknown>): Promise<void>;
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
  /** Told why a place could not be renewed or given back. What asked for it goes on: the place comes free by its lease. */
  readonly onError?: (error: unknown, id: string) => void;
}

/** A place outlives its upload a little, in milliseconds: it comes free by the sweep, or else by its lease. */
const LONGER_MS = 3_600_000;

/** Counted, and not looked up among all that a tenant has: one write, however many there are. */
export function createOpenPlaces({ meters, most, partTtlSeconds, onError }: OpenPlacesOptions): OpenPlaces {
  const leaseMs = partTtlSeconds * 1000 + LONGER_MS;
  const gateOf = (tenant: string): string => `uploads:${tenant}`;
  const leave: OpenPlaces['leave'] = (id, tenant) =>
    meters.leave(gateOf(tenant), id).catch((error: unknown) => onError?.(error, id));
  return {
    async enter(id, tenant, note) {
      try {
        if (!(await meters.enter(gateOf(tenant), most, id, leaseMs))) {
          throw new Problem(
            'quota_exceeded',
            `The tenant ${tenant} has ${most} uploads that are not finished, or parts, which is the most it may have. Finish or remove some of them first.`,
          );
        }
        await note();
      } catch (error) {
        // Also where no answer came: the place may have been taken all the same.
        await leave(id, tenant);
        throw error;
      }
    },
    renew: (id, tenant) =>
      meters.renew(gateOf(tenant), id, leaseMs).catch((error: unknown) => onError?.(error, id)),
    leave,
  };
}

/** Where nobody counts. */
export const NO_PLACES: OpenPlaces = {
  enter: async (_id, _tenant, note) => void (await note()),
  renew: async () => undefined,
  leave: async () => undefined,
};
