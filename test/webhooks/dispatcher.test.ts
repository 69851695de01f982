// What is sent, to whom and by whom: signatures, several processes, a full disk, tests and replays.

import { describe, expect, it } from 'vitest';
import type { Records } from '../../src/contracts.ts';
import { Problem } from '../../src/problems.ts';
import { DELIVERIES, newDelivery } from '../../src/webhooks/delivery.ts';
import { rotated } from '../../src/webhooks/endpoint.ts';
import { ownSecretsOf } from '../../src/webhooks/own-secrets.ts';
import { DAY } from '../../src/webhooks/schedule.ts';
import { dispatching, status, urlOf } from './dispatching.ts';
import { isSignedWith } from './receiver.ts';
import { addEndpoint, endedJob, OWN_SECRET, secretOf, TENANT } from './site.ts';

const MINUTE = 60_000;

const here = dispatching();

describe('a message', () => {
  it('is signed as Standard Webhooks has it, and holds the job without our keys', async () => {
    const receiver = await here.receiving();
    const webhooks = await here.site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const job = endedJob({ trace: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
    await webhooks.deliveries.owe(job);
    const [message] = await receiver.came(1);
    expect(message?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'mediamill/1.2.3',
      'webhook-timestamp': String(Math.floor(here.site.now() / 1000)),
      traceparent: job.trace,
    });
    expect(message?.headers['webhook-id']).toMatch(/^msg_[0-9a-z]{36}$/);
    expect(isSignedWith(message!, secretOf(endpoint))).toBe(true);
    expect(isSignedWith(message!, OWN_SECRET)).toBe(false);
    expect(JSON.parse(message?.body ?? '')).toMatchObject({
      type: 'job.succeeded',
      timestamp: new Date(job.finishedAt ?? 0).toISOString(),
      data: { id: job.id, status: 'succeeded', links: { self: `/v1/jobs/${job.id}` } },
    });
    expect(message?.body).not.toMatch(/sources\/|results\/|"key"|"tenant"|"lane"/);
  });

  it('goes to every endpoint that wants it, to no other, and to the address of the job itself', async () => {
    const receiver = await here.receiving();
    const webhooks = await here.site.open(receiver.server.ca);
    await addEndpoint(webhooks, urlOf(receiver, '/all'));
    await addEndpoint(webhooks, urlOf(receiver, '/failures'), ['job.failed']);
    const off = await addEndpoint(webhooks, urlOf(receiver, '/off'));
    await webhooks.endpoints.update(TENANT, off.id, (each) => ({ ...each, disabledAt: 1 }));
    await webhooks.endpoints.add('somebody else', { ...off, url: urlOf(receiver, '/others') });
    const job = endedJob({ webhook: { url: urlOf(receiver, '/own') } });
    await webhooks.deliveries.owe(job);
    await webhooks.deliveries.owe(job);
    const messages = await receiver.came(2);
    for (const { id } of await webhooks.deliveries.ofJob(TENANT, job.id))
      await here.site.delivery(id, ({ state }) => state === 'delivered');
    expect(messages.map(({ path }) => path).toSorted()).toEqual(['/all', '/own']);
    const own = messages.find(({ path }) => path === '/own')!;
    expect(isSignedWith(own, OWN_SECRET)).toBe(true);
  });

  it('to the address of a job is signed with secrets of its tenant, which are no other tenant’s', async () => {
    const receiver = await here.receiving();
    const webhooks = await here.site.open(receiver.server.ca);
    const url = `${urlOf(receiver)}?token=secret`;
    await webhooks.deliveries.owe(endedJob({ tenant: 'acme', webhook: { url } }));
    const [message] = await receiver.came(1);
    const [own = ''] = webhooks.ownSecrets('acme');
    expect(ownSecretsOf([OWN_SECRET], 'acme')).toEqual([own]);
    expect(isSignedWith(message!, own)).toBe(true);
    expect(isSignedWith(message!, OWN_SECRET)).toBe(false);
    expect(isSignedWith(message!, webhooks.ownSecrets('other')[0]!)).toBe(false);
    // It went to the whole address, and tells nobody of what may be a token.
    expect(message?.path).toBe('/hook?token=secret');
    expect(message?.body).not.toContain('token');
  });

  it('is signed with both secrets for a day after a rotation', async () => {
    const receiver = await here.receiving();
    const webhooks = await here.site.open(receiver.server.ca);
    const before = await addEndpoint(webhooks, urlOf(receiver));
    const after = await webhooks.endpoints.update(TENANT, before.id, (each) =>
      rotated(each, here.site.now()),
    );
    await webhooks.deliveries.owe(endedJob());
    await receiver.came(1);
    here.site.pass(DAY);
    await webhooks.deliveries.owe(endedJob());
    const [first, second] = await receiver.came(2);
    expect(secretOf(after!)).not.toBe(secretOf(before));
    expect([before, after!].map((endpoint) => isSignedWith(first!, secretOf(endpoint)))).toEqual([
      true,
      true,
    ]);
    expect([before, after!].map((endpoint) => isSignedWith(second!, secretOf(endpoint)))).toEqual([
      false,
      true,
    ]);
  });
});

describe('several processes', () => {
  it('send each message once, whoever makes it and whoever looks', async () => {
    const receiver = await here.receiving();
    const both = [await here.site.open(receiver.server.ca), await here.site.open(receiver.server.ca)];
    // Sends nothing itself, but tells both at once.
    const maker = await here.site.open(receiver.server.ca, { leaving: AbortSignal.abort() });
    await addEndpoint(maker, urlOf(receiver));
    const jobs = Array.from({ length: 20 }, () => endedJob());
    await Promise.all(jobs.flatMap((job) => [maker, ...both].map(({ deliveries }) => deliveries.owe(job))));
    for (const { id } of jobs) {
      const [made] = await maker.deliveries.ofJob(TENANT, id);
      await here.site.delivery(made!.id, ({ state }) => state === 'delivered');
    }
    expect(receiver.messages).toHaveLength(jobs.length);
    expect(new Set(receiver.messages.map(({ headers }) => headers['webhook-id'])).size).toBe(jobs.length);
  });

  it('give back what they were sending when they leave, and another sends it', async () => {
    const receiver = await here.receiving((response, _message, index) => {
      if (index > 0) response.end();
    });
    const leaver = await here.site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await leaver.deliveries.owe(job);
    await receiver.came(1);
    await leaver.close(0);
    expect(await here.site.delivery(`${job.id}.job`, () => true)).toMatchObject({
      lease: null,
      attemptCount: 0,
      nextAt: here.site.now(),
    });
    await here.site.open(receiver.server.ca);
    await here.site.delivery(`${job.id}.job`, ({ state }) => state === 'delivered');
    const ids = receiver.messages.map(({ headers }) => headers['webhook-id']);
    expect(ids[1]).toBe(ids[0]);
  });

  it('that leave take nothing more, and say so to the others', async () => {
    const receiver = await here.receiving();
    const leaver = await here.site.open(receiver.server.ca, { leaving: AbortSignal.abort() });
    const other = await here.site.open(receiver.server.ca);
    expect(other).toBeDefined();
    await leaver.deliveries.owe(endedJob({ webhook: { url: urlOf(receiver) } }));
    await receiver.came(1);
  });
});

it('what is over is not sent again, whatever the records say of when it is due', async () => {
  const receiver = await here.receiving();
  const webhooks = await here.site.open(receiver.server.ca);
  const id = `${endedJob().id}.job`;
  const told = {
    id,
    tenant: TENANT,
    jobId: id,
    endpointId: null,
    url: urlOf(receiver),
    body: '{}',
    trace: null,
  };
  const over = newDelivery({ ...told, eventType: 'job.failed' }, here.site.now());
  const place = { group: id, dueAt: here.site.now() - 1 };
  await here.site.records.put(DELIVERIES, id, { ...over, state: 'delivered' }, place, 0);
  here.site.pass(1);
  expect(await here.hooksOf(receiver, webhooks)).toEqual([]);
  expect(await here.site.records.due(DELIVERIES, here.site.now(), 10)).toEqual([]);
});

it('a full disk sends nothing, is tried again from time to time only, and loses nothing', async () => {
  const receiver = await here.receiving();
  const maker = await here.site.open(receiver.server.ca, { leaving: AbortSignal.abort() });
  let full = true;
  let refused = 0;
  const warnings: object[] = [];
  const records: Records = {
    ...here.site.records,
    async put(...args) {
      if (!full) return here.site.records.put(...args);
      refused++;
      throw new Problem('storage_full', 'No room.');
    },
  };
  const webhooks = await here.site.open(receiver.server.ca, {
    records,
    log: { info: () => undefined, warn: (fields) => void warnings.push(fields) },
  });
  const job = endedJob({ webhook: { url: urlOf(receiver) } });
  await expect(webhooks.deliveries.owe(job)).rejects.toMatchObject({ code: 'storage_full' });
  await maker.deliveries.owe(job);
  for (let looks = 2; looks < 5; looks++) {
    await expect.poll(() => refused).toBe(looks);
    here.site.pass(1);
  }
  expect(warnings).toHaveLength(1);
  expect(receiver.messages).toEqual([]);
  full = false;
  here.site.pass(1);
  await here.site.delivery(`${job.id}.job`, ({ state }) => state === 'delivered');
  expect(receiver.messages).toHaveLength(1);
});

it('a test is a message of its own, and a replay the very same one', async () => {
  const receiver = await here.receiving();
  const webhooks = await here.site.open(receiver.server.ca);
  const endpoint = await addEndpoint(webhooks, urlOf(receiver), ['job.failed']);
  const { id } = await webhooks.deliveries.test(TENANT, endpoint);
  await here.site.delivery(id, ({ state }) => state === 'delivered');
  await webhooks.deliveries.replay(TENANT, id);
  const [first, second] = await receiver.came(2);
  expect(JSON.parse(first!.body)).toMatchObject({ type: 'test', data: { webhookId: endpoint.id } });
  expect(second!.body).toBe(first!.body);
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
  await here.site.delivery(id, ({ attemptCount, state }) => attemptCount === 2 && state === 'delivered');
  expect(await webhooks.deliveries.get('somebody else', id)).toBeUndefined();
  expect(await webhooks.deliveries.ofJob('somebody else', endpoint.id)).toEqual([]);
  await expect(webhooks.deliveries.replay('somebody else', id)).rejects.toMatchObject({
    code: 'delivery_not_found',
  });
});

it('a removed endpoint gets nothing more', async () => {
  const receiver = await here.receiving(status(500));
  const webhooks = await here.site.open(receiver.server.ca);
  const endpoint = await addEndpoint(webhooks, urlOf(receiver));
  const job = endedJob();
  await webhooks.deliveries.owe(job);
  const id = `${job.id}.${endpoint.id}`;
  await here.site.delivery(id, ({ attemptCount }) => attemptCount === 1);
  await webhooks.endpoints.remove(TENANT, endpoint.id);
  expect(await webhooks.deliveries.get(TENANT, id)).toMatchObject({ state: 'dropped' });
  here.site.pass(MINUTE);
  await here.site.delivery(
    id,
    ({ state, reason }) => state === 'dropped' && reason === 'the webhook was removed',
  );
  await expect(webhooks.deliveries.replay(TENANT, id)).rejects.toMatchObject({ code: 'webhook_not_found' });
  expect(receiver.messages).toHaveLength(1);
});
