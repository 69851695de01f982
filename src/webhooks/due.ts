// What is due, in the order in which it gets places: each tenant in its turn, and each of its hosts.

import type { Stored } from '../contracts.ts';
import type { Delivery } from './delivery.ts';
import type { Endpoint } from './endpoint.ts';
import type { Endpoints } from './endpoints.ts';

/** One that is due, and the host that it goes to. */
export interface Due {
  readonly stored: Stored<Delivery>;
  readonly host: string;
}

export const tenantOf = ({ stored }: Due): string => stored.value.tenant;

/** Tenants with little `underway` come first. */
export async function dueInTurn(
  waiting: readonly Stored<Delivery>[],
  endpoints: Pick<Endpoints, 'list'>,
  underway: (tenant: string) => number,
): Promise<Due[]> {
  const known = new Map<string, readonly Endpoint[]>();
  for (const { value } of waiting)
    if (!known.has(value.tenant)) known.set(value.tenant, await endpoints.list(value.tenant));
  const due = waiting.map((stored) => {
    const { tenant, endpointId, url } = stored.value;
    // Where it would go now: an endpoint's address may be another than when the message was made.
    return { stored, host: hostOf(known.get(tenant)?.find(({ id }) => id === endpointId)?.url ?? url) };
  });
  const idleFirst = due.toSorted((one, other) => underway(tenantOf(one)) - underway(tenantOf(other)));
  return inTurn(idleFirst, tenantOf, ({ host }) => host);
}

/** One of every group, then a second of every group: by the first key, within its groups by the next, and so on. */
function inTurn<T>(items: readonly T[], ...keys: readonly ((item: T) => string)[]): T[] {
  const [key, ...rest] = keys;
  if (key === undefined) return [...items];
  const groups = [...Map.groupBy(items, key).values()].map((group) => inTurn(group, ...rest));
  const longest = Math.max(0, ...groups.map(({ length }) => length));
  const turns = Array.from({ length: longest }, (_, turn) => groups.flatMap((group) => group[turn] ?? []));
  return turns.flat();
}

/** Without the port, or one host would have 65,535 times its places. */
function hostOf(url: string): string {
  return URL.parse(url)?.hostname.replace(/\.$/, '') ?? '';
}
