// Webhooks of two tenants: secrets of their own, and what keys without the scope are told.

import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { ownSecretsOf } from '../../src/webhooks/own-secrets.ts';
import type { DeliveryView, WebhookView } from '../../src/webhooks/webhook-view.ts';
import { eventually } from '../support/eventually.ts';
import { makeKey } from '../support/keys.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { isSignedWith, startReceiver } from '../webhooks/receiver.ts';
import type { Receiver } from '../webhooks/receiver.ts';
import { OWN_SECRET } from '../webhooks/site.ts';

type Headers = Record<string, string>;

let server: TestServer;
let receiver: Receiver;
let whole: Headers;
let reader: Headers;
let house: Headers;

beforeAll(async () => {
  receiver = await startReceiver((response) => response.end('what the receiver says'));
  server = await startTestServer(
    { WEBHOOK_SECRETS: OWN_SECRET, WEBHOOK_HOSTS: `localhost:${receiver.server.port}` },
    { remote: { ca: receiver.server.ca } },
  );
  const { DATA_DIR } = server.config;
  whole = (await makeKey(DATA_DIR)).headers;
  reader = (await makeKey(DATA_DIR, { scopes: ['jobs:read'] })).headers;
  house = (await makeKey(DATA_DIR, { tenant: 'default' })).headers;
  await eventually('keys are asked for', async () => (await server.request('/v1/jobs')).status === 401);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

async function ask<T>(headers: Headers, path: string, method = 'GET', body?: object): Promise<T> {
  const response = await server.request(path, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function runJob(query = ''): Promise<JobView> {
  const create = { width: 60, height: 40, channels: 3, background: '#3366aa' } as const;
  const photo = new Uint8Array(await sharp({ create }).jpeg().toBuffer());
  const recipe = JSON.stringify({ outputs: { small: { type: 'image', steps: [], format: 'webp' } } });
  const body = form(photo, { recipe });
  const made = await server.request(`/v1/jobs${query}`, { method: 'POST', headers: whole, body });
  const { id } = (await made.json()) as JobView;
  return ask(whole, `/v1/jobs/${id}?wait=20`);
}

const delivered = ({ links }: JobView): Promise<DeliveryView> =>
  eventually('it is delivered', async () => {
    const { deliveries } = await ask<{ deliveries: DeliveryView[] }>(whole, links.deliveries);
    return deliveries.find(({ status }) => status === 'delivered');
  });

it('a tenant is told the secrets that sign for its jobs; those of the settings are told nobody', async () => {
  const { secrets } = await ask<{ secrets: string[] }>(whole, '/v1/webhooks/secrets');
  expect(secrets).toEqual(ownSecretsOf([OWN_SECRET], 'acme'));
  expect(await ask(house, '/v1/webhooks/secrets')).toEqual({ secrets: [] });
  const job = await runJob(`?webhook=${encodeURIComponent(`${receiver.server.origin}/own`)}`);
  await delivered(job);
  const message = receiver.messages.find(({ path }) => path === '/own');
  expect(isSignedWith(message!, secrets[0]!)).toBe(true);
  expect(isSignedWith(message!, OWN_SECRET)).toBe(false);
});

it('tokens in an address, and what the receiver answered, are for keys of the scope `webhooks` only', async () => {
  const url = `${receiver.server.origin}/token?token=secret`;
  const job = await runJob(`?webhook=${encodeURIComponent(url)}`);
  const own = await delivered(job);
  expect(own).toMatchObject({ url, attempts: [{ response: 'what the receiver says' }] });
  const { deliveries } = await ask<{ deliveries: DeliveryView[] }>(reader, job.links.deliveries);
  expect(deliveries).toMatchObject([
    { id: own.id, url: `${receiver.server.origin}/token`, attempts: [{ status: 200, response: null }] },
  ]);
  expect(JSON.stringify(await ask(reader, job.links.self))).not.toContain('token=');
});

it('what a webhook was sent is listed page by page, the newest first', async () => {
  const hook = await ask<WebhookView>(whole, '/v1/webhooks', 'POST', { url: `${receiver.server.origin}/a` });
  const jobs = [await runJob(), await runJob(), await runJob()];
  for (const job of jobs) await delivered(job);
  const list = `${hook.links.self}/deliveries`;
  type Page = { deliveries: DeliveryView[]; next: string | null };
  const first = await ask<Page>(whole, `${list}?limit=2`);
  const second = await ask<Page>(whole, `${list}?limit=2&after=${first.next}`);
  expect([...first.deliveries, ...second.deliveries].map(({ jobId }) => jobId)).toEqual(
    jobs.map(({ id }) => id).toReversed(),
  );
  expect(second.next).toBeNull();
  expect(await problemOf(await server.request(list, { headers: house }))).toMatchObject({
    code: 'webhook_not_found',
  });
  await ask(whole, hook.links.self, 'DELETE');
});

it('a fourth secret is refused, and a leak is ended by revoking', async () => {
  const hook = await ask<WebhookView>(whole, '/v1/webhooks', 'POST', { url: `${receiver.server.origin}/r` });
  for (let i = 0; i < 2; i++) await ask(whole, hook.links.rotate, 'POST');
  const refused = await server.request(hook.links.rotate, { method: 'POST', headers: whole });
  expect(await problemOf(refused)).toMatchObject({ code: 'webhook_secret_limit', status: 409 });
  const { secret } = await ask<{ secret: string }>(whole, hook.links.rotate, 'POST', { revoke: true });
  await ask(whole, hook.links.test, 'POST');
  await eventually('the test', () => receiver.messages.some(({ path }) => path === '/r'));
  const message = receiver.messages.find(({ path }) => path === '/r')!;
  expect(isSignedWith(message, secret)).toBe(true);
  expect(String(message.headers['webhook-signature']).split(' ')).toHaveLength(1);
  await ask(whole, hook.links.self, 'DELETE');
});
