import { expect, it } from 'vitest';
import type { Stored } from '../../src/contracts.ts';
import { newDelivery } from '../../src/webhooks/delivery.ts';
import type { Delivery } from '../../src/webhooks/delivery.ts';
import { dueInTurn } from '../../src/webhooks/due.ts';
import { newEndpoint } from '../../src/webhooks/endpoint.ts';

const due = (
  id: string,
  tenant: string,
  url: string,
  endpointId: string | null = null,
): Stored<Delivery> => ({
  id,
  version: 1,
  value: newDelivery(
    { id, tenant, jobId: id, endpointId, url, eventType: 'job.failed', body: '{}', trace: null },
    0,
  ),
});
const none = { list: async () => [] };

it('gives each tenant its turn, those with little under way first, and each of its hosts', async () => {
  const waiting = [
    ...['a1', 'a2', 'a3'].map((id) => due(id, 'a', 'https://one.example/')),
    due('a4', 'a', 'https://two.example/'),
    due('b1', 'b', 'https://one.example/'),
    due('c1', 'c', 'https://one.example/'),
  ];
  const underway = (tenant: string): number => (tenant === 'b' ? 2 : 0);
  const order = await dueInTurn(waiting, none, underway);
  expect(order.map(({ stored }) => stored.id)).toEqual(['a1', 'c1', 'b1', 'a4', 'a2', 'a3']);
});

it('takes a host for the same whatever the port, the last dot and the case', async () => {
  const urls = ['https://one.example/', 'https://one.example:8443/x', 'https://ONE.example./'];
  const order = await dueInTurn(
    urls.map((url, index) => due(String(index), 'a', url)),
    none,
    () => 0,
  );
  expect(new Set(order.map(({ host }) => host))).toEqual(new Set(['one.example']));
});

it('goes by where an endpoint is now', async () => {
  const endpoint = newEndpoint('https://new.example/', ['job.failed'], 0);
  const waiting = [due('1', 'a', 'https://old.example/', endpoint.id)];
  const [first] = await dueInTurn(waiting, { list: async () => [endpoint] }, () => 0);
  expect(first?.host).toBe('new.example');
});
