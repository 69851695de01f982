// Keys for tests, made as the command line makes them: in the records of a folder, while the server runs or before.

import { SCOPES } from '../../src/access/caller.ts';
import type { TenantOverrides } from '../../src/access/caller.ts';
import { createKeys } from '../../src/access/keys.ts';
import type { Keys, NewKey } from '../../src/access/keys.ts';
import { createTenants, usualLimits } from '../../src/access/tenants.ts';
import { readConfig } from '../../src/config.ts';
import { openRecords } from '../../src/registers/open.ts';
import { configIn } from './mode.ts';

async function withKeys<T>(dataDir: string, work: (keys: Keys) => Promise<T>): Promise<T> {
  const records = await openRecords(configIn(dataDir));
  try {
    return await work(createKeys({ records }));
  } finally {
    await records.close();
  }
}

/** A new key, by default of every scope and the tenant `acme`: its id, and what goes into a header. */
export function makeKey(
  dataDir: string,
  wish: Partial<NewKey> = {},
): Promise<{ id: string; text: string; headers: { authorization: string } }> {
  return withKeys(dataDir, async (keys) => {
    const { key, text } = await keys.create({
      tenant: 'acme',
      name: 'test',
      scopes: SCOPES,
      expiresAt: null,
      ...wish,
    });
    return { id: key.id, text, headers: { authorization: `Bearer ${text}` } };
  });
}

export async function revokeKey(dataDir: string, id: string): Promise<void> {
  await withKeys(dataDir, (keys) => keys.revoke(id));
}

/** What a tenant may use, from a second later on; before the server has heard of the tenant, at once. */
export async function limitTenant(dataDir: string, tenant: string, limits: TenantOverrides): Promise<void> {
  const records = await openRecords(configIn(dataDir));
  await createTenants({ records, defaults: usualLimits(readConfig({})) }).override(tenant, limits);
  await records.close();
}
