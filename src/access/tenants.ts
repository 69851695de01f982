// How much each tenant may use: the settings' limits, and what was set for it by name.

import type { Config } from '../config.ts';
import type { RecordKind, Records } from '../contracts.ts';
import { FreshMap } from '../lib/fresh-map.ts';
import { UNLIMITED } from './caller.ts';
import type { TenantLimits, TenantOverrides } from './caller.ts';

export interface Tenants {
  /** At most a second old. */
  readonly limitsOf: (tenant: string) => Promise<TenantLimits>;
  overridesOf(tenant: string): Promise<TenantOverrides>;
  /** Changes those that are named; undefined takes the setting again. Resolves with what holds then. */
  override(
    tenant: string,
    change: { readonly [K in keyof TenantLimits]?: TenantLimits[K] | undefined },
  ): Promise<TenantOverrides>;
}

const TENANTS: RecordKind<TenantOverrides> = { name: 'tenant' };
const FRESH_MS = 1000;
const MOST_TENANTS = 10_000;

/** The limits of the settings, which hold for every tenant that has none of its own. */
export function usualLimits(config: TenantSettings): TenantLimits {
  return {
    requestsPerMinute: config.TENANT_REQUESTS_PER_MINUTE ?? null,
    concurrentRequests: config.TENANT_CONCURRENT_REQUESTS ?? null,
    activeJobs: config.TENANT_ACTIVE_JOBS ?? null,
    bytesPerDay: config.TENANT_BYTES_PER_DAY ?? null,
    minutesPerDay: config.TENANT_MINUTES_PER_DAY ?? null,
  };
}

type TenantSettings = Pick<
  Config,
  | 'TENANT_REQUESTS_PER_MINUTE'
  | 'TENANT_CONCURRENT_REQUESTS'
  | 'TENANT_ACTIVE_JOBS'
  | 'TENANT_BYTES_PER_DAY'
  | 'TENANT_MINUTES_PER_DAY'
>;

export function createTenants({
  records,
  defaults,
  clock,
}: {
  readonly records: Records;
  readonly defaults: TenantLimits;
  /** Milliseconds on a clock that never jumps. */
  readonly clock?: () => number;
}): Tenants {
  // One object for all who have no limits, so that nothing need be looked at.
  const usual = Object.values(defaults).every((limit) => limit === null) ? UNLIMITED : defaults;
  const known = new FreshMap(
    async (tenant: string): Promise<TenantLimits> => {
      const stored = await records.get(TENANTS, tenant);
      return stored === undefined ? usual : { ...usual, ...stored.value };
    },
    { forMs: FRESH_MS, most: MOST_TENANTS, ...(clock !== undefined && { clock }) },
  );
  return {
    limitsOf: (tenant) => known.get(tenant),

    async overridesOf(tenant) {
      return (await records.get(TENANTS, tenant))?.value ?? {};
    },

    async override(tenant, change) {
      for (;;) {
        const stored = await records.get(TENANTS, tenant);
        const next = Object.fromEntries(
          Object.entries({ ...stored?.value, ...change }).filter(([, limit]) => limit !== undefined),
        ) as TenantOverrides;
        if (await records.put(TENANTS, tenant, next, { group: tenant }, stored?.version ?? 0)) {
          known.forget(tenant);
          return next;
        }
      }
    },
  };
}
