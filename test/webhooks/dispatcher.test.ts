import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Records } from '../../src/contracts.ts';
import type { SafePost } from '../../src/lib/safe-post.ts';
import { Problem } from '../../src/problems.ts';
import { DELIVERIES, newDelivery } from '../../src/webhooks/delivery.ts';
import { enabled, moved, rotated } from '../../src/webhooks/endpoint.ts';
import { ownSecretsOf } from '../../src/webhooks/own-secrets.ts';
import { DAY } from '../../src/webhooks/schedule.ts';
import { isSignedWith, startReceiver } from './receiver.ts';
import type { Answer, Message, Receiver } from './receiver.ts';
import type { Webhooks } from '../../src/webhooks/webhooks.ts';
import { addEndpoint, endedJob, makeSite, OWN_SECRET, secretOf, TENANT } from './site.ts';
import type { Site } from './site.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let site: Site;
let stack: AsyncDisposableStack;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  site = stack.use(await makeSite());
});
afterEach(() => stack.disposeAsync());

async function receiving(answer?: Answer): Promise<Receiver> {
  const receiver = await startReceiver(answer);
  // Before the site closes, so that nothing waits for an answer any more.
  stack.use(receiver);
  return receiver;
}
const urlOf = (receiver: Receiver, path = '/hook'): string => `${receiver.server.origin}${path}`;
/** What came to `/hook`, once a message that is sent now has come too: whatever was to be sent before it has. */
async function hooksOf(receiver: Receiver, webhooks: Webhooks): Promise<Message[]> {
  // Two, one after the other: what was found by the look that found the first has come before the second.
  for (const path of ['/first', '/second'].map((each) => `${each}/${receiver.messages.length}`)) {
    // Of another tenant, so that no endpoint is told of it.
    await webhooks.deliveries.owe(endedJob({ tenant: 'marker', webhook: { url: urlOf(receiver, path) } }));
    await expect.poll(() => receiver.messages.some((message) => message.path === path)).toBe(true);
  }
  return receiver.messages.filter((message) => message.path === '/hook');
}
const status =
  (...codes: number[]): Answer =>
  (response, _message, index) =>
    response.writeHead(codes[Math.min(index, codes.length - 1)] ?? 200).end('as told');

describe('a message', () => {
  it('is signed as Standard Webhooks has it, and holds the job without our keys', async () => {
    const receiver = await receiving();
    const webhooks = await site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const job = endedJob({ trace: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
    await webhooks.deliveries.owe(job);
    const [message] = await receiver.came(1);
    expect(message?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'mediamill/1.2.3',
      'webhook-timestamp': String(Math.floor(site.now() / 1000)),
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
    const receiver = await receiving();
    const webhooks = await site.open(receiver.server.ca);
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
      await site.delivery(id, ({ state }) => state === 'delivered');
    expect(messages.map(({ path }) => path).toSorted()).toEqual(['/all', '/own']);
    const own = messages.find(({ path }) => path === '/own')!;
    expect(isSignedWith(own, OWN_SECRET)).toBe(true);
  });

  it('to the address of a job is signed with secrets of its tenant, which are no other tenant’s', async () => {
    const receiver = await receiving();
    const webhooks = await site.open(receiver.server.ca);
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
    const receiver = await receiving();
    const webhooks = await site.open(receiver.server.ca);
    const before = await addEndpoint(webhooks, urlOf(receiver));
    const after = await webhooks.endpoints.update(TENANT, before.id, (each) => rotated(each, site.now()));
    await webhooks.deliveries.owe(endedJob());
    await receiver.came(1);
    site.pass(DAY);
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

describe('a receiver that is down', () => {
  it('for an hour gets each message once when it is back: same id, valid signature', async () => {
    let down = true;
    const receiver = await receiving((response) => response.writeHead(down ? 500 : 204).end());
    const webhooks = await site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const begun = site.now();
    const jobs = [endedJob(), endedJob(), endedJob()];
    for (const job of jobs) await webhooks.deliveries.owe(job);
    const ids = jobs.map(({ id }) => `${id}.${endpoint.id}`);

    while (site.now() - begun < HOUR) {
      const seen = await Promise.all(
        ids.map((id) => site.delivery(id, ({ lease, tries }) => lease === null && tries > 0)),
      );
      site.pass(Math.min(...seen.map(({ nextAt }) => nextAt!)) - site.now());
      const due = seen.filter(({ nextAt }) => nextAt! <= site.now());
      for (const { id, attemptCount } of due)
        await site.delivery(id, (each) => each.attemptCount > attemptCount);
    }
    const failures = receiver.messages.length;
    expect(failures).toBeGreaterThanOrEqual(3 * 5);
    expect(failures).toBeLessThanOrEqual(3 * 7);

    down = false;
    site.pass(4 * HOUR);
    for (const id of ids) await site.delivery(id, ({ state }) => state === 'delivered');
    site.pass(30 * HOUR);
    const hooks = await hooksOf(receiver, webhooks);
    const successes = hooks.slice(failures);
    expect(
      successes.map(({ body }) => (JSON.parse(body) as { data: { id: string } }).data.id).toSorted(),
    ).toEqual(jobs.map(({ id }) => id).toSorted());
    expect(hooks.every((message) => isSignedWith(message, secretOf(endpoint)))).toBe(true);
    for (const message of successes) {
      const all = hooks.filter(({ body }) => body === message.body);
      expect(new Set(all.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
      expect(new Set(all.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(all.length);
    }
    expect((await webhooks.endpoints.get(TENANT, endpoint.id))?.failingSince).toBeNull();
  });

  it('is tried for three days and then given up; after five days of failures it is disabled', async () => {
    const receiver = await receiving(status(500));
    const webhooks = await site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const begun = site.now();
    const runDown = async (id: string): Promise<number> => {
      for (let count = 1; ; count++) {
        const { state, nextAt } = await site.delivery(
          id,
          (each) => each.attemptCount >= count && each.lease === null,
        );
        if (state !== 'pending') return count;
        site.pass(nextAt! - site.now());
      }
    };
    const first = endedJob();
    await webhooks.deliveries.owe(first);
    const attempts = await runDown(`${first.id}.${endpoint.id}`);
    expect(attempts).toBeGreaterThanOrEqual(11);
    expect(attempts).toBeLessThanOrEqual(13);
    const over = await site.delivery(`${first.id}.${endpoint.id}`, () => true);
    expect(over).toMatchObject({ state: 'failed', nextAt: null, attemptCount: attempts });
    expect(site.now() - begun).toBeLessThanOrEqual(3 * DAY);
    expect((await webhooks.endpoints.get(TENANT, endpoint.id))?.disabledAt).toBeNull();

    site.pass(begun + 5 * DAY - site.now());
    const second = endedJob();
    await webhooks.deliveries.owe(second);
    await site.delivery(`${second.id}.${endpoint.id}`, ({ attemptCount }) => attemptCount === 1);
    site.pass(10);
    await expect
      .poll(() => webhooks.endpoints.get(TENANT, endpoint.id))
      .toMatchObject({ disabledReason: 'failing' });
    expect(await webhooks.deliveries.get(TENANT, `${second.id}.${endpoint.id}`)).toMatchObject({
      state: 'dropped',
    });
    await webhooks.deliveries.owe(endedJob());
    expect(await hooksOf(receiver, webhooks)).toHaveLength(attempts + 1);
  });
});

describe('an answer', () => {
  it('of 500, twice, and then 200 is three attempts of one message', async () => {
    const receiver = await receiving(status(500, 500, 200));
    const webhooks = await site.open(receiver.server.ca);
    await addEndpoint(webhooks, urlOf(receiver));
    const job = endedJob();
    await webhooks.deliveries.owe(job);
    for (const count of [1, 2]) {
      const [made] = await webhooks.deliveries.ofJob(TENANT, job.id);
      await site.delivery(made!.id, ({ attemptCount }) => attemptCount === count);
      site.pass(MINUTE);
    }
    const [made] = await webhooks.deliveries.ofJob(TENANT, job.id);
    const delivery = await site.delivery(made!.id, ({ state }) => state === 'delivered');
    expect(delivery.attempts.map((attempt) => [attempt.status, attempt.error, attempt.responseHead])).toEqual(
      [
        [500, 'the receiver answered 500', 'as told'],
        [500, 'the receiver answered 500', 'as told'],
        [200, null, 'as told'],
      ],
    );
    expect(new Set(receiver.messages.map(({ body }) => body)).size).toBe(1);
  });

  it('of 410 disables the endpoint and drops what is pending; a replay after it is enabled is sent', async () => {
    const receiver = await receiving(status(500, 410, 200));
    const webhooks = await site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const [waiting, last] = [endedJob(), endedJob()];
    const idOf = ({ id }: { id: string }): string => `${id}.${endpoint.id}`;
    await webhooks.deliveries.owe(waiting);
    await site.delivery(idOf(waiting), ({ attemptCount }) => attemptCount === 1);
    site.pass(1);
    await webhooks.deliveries.owe(last);
    await expect
      .poll(() => webhooks.endpoints.get(TENANT, endpoint.id))
      .toMatchObject({ disabledReason: 'gone' });
    for (const job of [waiting, last])
      expect(await webhooks.deliveries.get(TENANT, idOf(job))).toMatchObject({
        state: 'dropped',
        nextAt: null,
      });
    await expect(webhooks.deliveries.replay(TENANT, idOf(last))).rejects.toMatchObject({
      code: 'webhook_disabled',
    });

    await webhooks.endpoints.update(TENANT, endpoint.id, enabled);
    site.pass(DAY);
    await site.delivery(idOf(waiting), ({ state }) => state === 'dropped');
    expect(receiver.messages).toHaveLength(2);
    await webhooks.deliveries.replay(TENANT, idOf(last));
    await site.delivery(idOf(last), ({ state }) => state === 'delivered');
    expect(receiver.messages[2]?.headers['webhook-id']).toBe(receiver.messages[1]?.headers['webhook-id']);
  });

  it('of 410 that comes from the address of before is no word of the new one', async () => {
    const held = Promise.withResolvers<void>();
    const receiver = await receiving((response, { path }) => {
      if (path === '/hook') void held.promise.then(() => response.writeHead(410).end());
      else response.end();
    });
    const webhooks = await site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const job = endedJob();
    await webhooks.deliveries.owe(job);
    await receiver.came(1);
    await webhooks.endpoints.update(TENANT, endpoint.id, (each) => moved(each, urlOf(receiver, '/new')));
    held.resolve();
    const id = `${job.id}.${endpoint.id}`;
    expect(await site.delivery(id, ({ attemptCount }) => attemptCount === 1)).toMatchObject({
      state: 'pending',
    });
    site.pass(MINUTE);
    expect(await site.delivery(id, ({ state }) => state !== 'pending')).toMatchObject({ state: 'delivered' });
    expect(receiver.messages.map(({ path }) => path)).toEqual(['/hook', '/new']);
    expect(await webhooks.endpoints.get(TENANT, endpoint.id)).toMatchObject({
      disabledAt: null,
      failingSince: null,
    });
  });

  it('of 410 to the address of a job drops that delivery', async () => {
    const receiver = await receiving(status(410));
    const webhooks = await site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await webhooks.deliveries.owe(job);
    const delivery = await site.delivery(`${job.id}.job`, ({ state }) => state !== 'pending');
    expect(delivery).toMatchObject({ state: 'dropped', attemptCount: 1 });
  });

  it('of 503 with Retry-After is waited for', async () => {
    const receiver = await receiving((response, _message, index) =>
      response.writeHead(index === 0 ? 503 : 200, { 'retry-after': '7200' }).end(),
    );
    const webhooks = await site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await webhooks.deliveries.owe(job);
    const { nextAt } = await site.delivery(`${job.id}.job`, ({ attemptCount }) => attemptCount === 1);
    expect(nextAt! - site.now()).toBe(2 * HOUR);
  });

  it('that redirects is a failure, and nothing goes where it leads', async () => {
    const receiver = await receiving((response, { path }) =>
      path === '/hook' ? response.writeHead(307, { location: '/elsewhere' }).end() : response.end(),
    );
    const webhooks = await site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await webhooks.deliveries.owe(job);
    const { attempts } = await site.delivery(`${job.id}.job`, ({ attemptCount }) => attemptCount === 1);
    expect(attempts[0]).toMatchObject({
      status: 307,
      error: expect.stringContaining('redirects') as unknown,
    });
    expect(receiver.messages.map(({ path }) => path)).toEqual(['/hook']);
  });
});

describe('several processes', () => {
  it('send each message once, whoever makes it and whoever looks', async () => {
    const receiver = await receiving();
    const both = [await site.open(receiver.server.ca), await site.open(receiver.server.ca)];
    // Sends nothing itself, but tells both at once.
    const maker = await site.open(receiver.server.ca, { leaving: AbortSignal.abort() });
    await addEndpoint(maker, urlOf(receiver));
    const jobs = Array.from({ length: 20 }, () => endedJob());
    await Promise.all(jobs.flatMap((job) => [maker, ...both].map(({ deliveries }) => deliveries.owe(job))));
    for (const { id } of jobs) {
      const [made] = await maker.deliveries.ofJob(TENANT, id);
      await site.delivery(made!.id, ({ state }) => state === 'delivered');
    }
    expect(receiver.messages).toHaveLength(jobs.length);
    expect(new Set(receiver.messages.map(({ headers }) => headers['webhook-id'])).size).toBe(jobs.length);
  });

  it('give back what they were sending when they leave, and another sends it', async () => {
    const receiver = await receiving((response, _message, index) => {
      if (index > 0) response.end();
    });
    const leaver = await site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await leaver.deliveries.owe(job);
    await receiver.came(1);
    await leaver.close(0);
    expect(await site.delivery(`${job.id}.job`, () => true)).toMatchObject({
      lease: null,
      attemptCount: 0,
      nextAt: site.now(),
    });
    await site.open(receiver.server.ca);
    await site.delivery(`${job.id}.job`, ({ state }) => state === 'delivered');
    const ids = receiver.messages.map(({ headers }) => headers['webhook-id']);
    expect(ids[1]).toBe(ids[0]);
  });

  it('that leave take nothing more, and say so to the others', async () => {
    const receiver = await receiving();
    const leaver = await site.open(receiver.server.ca, { leaving: AbortSignal.abort() });
    const other = await site.open(receiver.server.ca);
    expect(other).toBeDefined();
    await leaver.deliveries.owe(endedJob({ webhook: { url: urlOf(receiver) } }));
    await receiver.came(1);
  });
});

describe('nobody is held up', () => {
  const SEVERAL_LOOKS = 110;

  /** Hosts that are not there: what is posted to them, and answers as they are wanted. */
  function hosts(answer: (host: string, signal?: AbortSignal) => Promise<number>) {
    const posted: string[] = [];
    const post: SafePost = async (url, { signal }) => {
      const { hostname } = new URL(url);
      posted.push(hostname);
      return { status: await answer(hostname, signal), head: '', retryAfter: undefined };
    };
    const to = (host: string): number => posted.filter((each) => each === host).length;
    return { posted, post, to };
  }
  const untilLeaving = (signal?: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) =>
      signal?.addEventListener('abort', () => reject(new Error('broken off'))),
    );
  const oweTo = (webhooks: Webhooks, tenant: string, url: string): Promise<void> =>
    webhooks.deliveries.owe(endedJob({ tenant, webhook: { url } }));

  it('by a silent host, however much is due to it', async () => {
    const mute = await receiving(() => undefined);
    const receiver = await receiving();
    const webhooks = await site.open(receiver.server.ca);
    // The same certificate, but another host, as far as one can see.
    const silent = mute.server.origin.replace('localhost', '127.0.0.1');
    for (let i = 0; i < SEVERAL_LOOKS; i++) await oweTo(webhooks, TENANT, `${silent}/hook`);
    await mute.came(1);
    await oweTo(webhooks, TENANT, urlOf(receiver));
    await receiver.came(1);
    expect(mute.messages).toHaveLength(1);
  });

  it('by a host that is well and busy, and it gets what is due to it when it has time', async () => {
    const free = Promise.withResolvers<void>();
    const { post, to } = hosts(async (host, signal) => {
      if (host === 'busy.example' && to(host) > 1) await Promise.race([free.promise, untilLeaving(signal)]);
      return 200;
    });
    const webhooks = await site.open('', { post });
    await oweTo(webhooks, 'a', 'https://busy.example/');
    await expect.poll(() => to('busy.example')).toBe(1);
    for (let i = 0; i < SEVERAL_LOOKS; i++) await oweTo(webhooks, 'a', 'https://busy.example/');
    await expect.poll(() => to('busy.example')).toBe(3);
    await oweTo(webhooks, 'b', 'https://other.example/');
    await expect.poll(() => to('other.example')).toBe(1);
    expect(to('busy.example')).toBe(3);
    free.resolve();
    await expect
      .poll(
        () => {
          site.pass(500);
          return to('busy.example');
        },
        { timeout: 8000 },
      )
      .toBe(SEVERAL_LOOKS + 1);
  });

  it('by a tenant with ever new hosts, nor by ports of one', async () => {
    const { posted, post, to } = hosts((host, signal) =>
      host.endsWith('greedy.example') ? untilLeaving(signal) : Promise.resolve(200),
    );
    const webhooks = await site.open('', { post });
    for (let i = 0; i < SEVERAL_LOOKS; i++)
      await oweTo(webhooks, 'greedy', `https://${i}.greedy.example:${1000 + i}/`);
    for (let i = 0; i < 5; i++) await oweTo(webhooks, 'b', `https://b.example:${1000 + i}/`);
    await expect.poll(() => to('b.example')).toBe(5);
    expect(posted.filter((host) => host.endsWith('greedy.example'))).toHaveLength(3);
  });

  it('by one host, where it has many ports', async () => {
    const { post, to } = hosts((host, signal) =>
      host === 'silent.example' ? untilLeaving(signal) : Promise.resolve(200),
    );
    const webhooks = await site.open('', { post });
    for (let i = 0; i < 5; i++) await oweTo(webhooks, `t${i}`, `https://silent.example:${1000 + i}/`);
    await oweTo(webhooks, 'b', 'https://b.example/');
    await expect.poll(() => to('b.example')).toBe(1);
    expect(to('silent.example')).toBe(1);
  });
});

it('what is over is not sent again, whatever the records say of when it is due', async () => {
  const receiver = await receiving();
  const webhooks = await site.open(receiver.server.ca);
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
  const over = newDelivery({ ...told, eventType: 'job.failed' }, site.now());
  const place = { group: id, dueAt: site.now() - 1 };
  await site.records.put(DELIVERIES, id, { ...over, state: 'delivered' }, place, 0);
  site.pass(1);
  expect(await hooksOf(receiver, webhooks)).toEqual([]);
  expect(await site.records.due(DELIVERIES, site.now(), 10)).toEqual([]);
});

it('a full disk sends nothing, is tried again from time to time only, and loses nothing', async () => {
  const receiver = await receiving();
  const maker = await site.open(receiver.server.ca, { leaving: AbortSignal.abort() });
  let full = true;
  let refused = 0;
  const warnings: object[] = [];
  const records: Records = {
    ...site.records,
    async put(...args) {
      if (!full) return site.records.put(...args);
      refused++;
      throw new Problem('storage_full', 'No room.');
    },
  };
  const webhooks = await site.open(receiver.server.ca, {
    records,
    log: { info: () => undefined, warn: (fields) => void warnings.push(fields) },
  });
  const job = endedJob({ webhook: { url: urlOf(receiver) } });
  await expect(webhooks.deliveries.owe(job)).rejects.toMatchObject({ code: 'storage_full' });
  await maker.deliveries.owe(job);
  for (let looks = 2; looks < 5; looks++) {
    await expect.poll(() => refused).toBe(looks);
    site.pass(1);
  }
  expect(warnings).toHaveLength(1);
  expect(receiver.messages).toEqual([]);
  full = false;
  site.pass(1);
  await site.delivery(`${job.id}.job`, ({ state }) => state === 'delivered');
  expect(receiver.messages).toHaveLength(1);
});

it('a test is a message of its own, and a replay the very same one', async () => {
  const receiver = await receiving();
  const webhooks = await site.open(receiver.server.ca);
  const endpoint = await addEndpoint(webhooks, urlOf(receiver), ['job.failed']);
  const { id } = await webhooks.deliveries.test(TENANT, endpoint);
  await site.delivery(id, ({ state }) => state === 'delivered');
  await webhooks.deliveries.replay(TENANT, id);
  const [first, second] = await receiver.came(2);
  expect(JSON.parse(first!.body)).toMatchObject({ type: 'test', data: { webhookId: endpoint.id } });
  expect(second!.body).toBe(first!.body);
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
  await site.delivery(id, ({ attemptCount, state }) => attemptCount === 2 && state === 'delivered');
  expect(await webhooks.deliveries.get('somebody else', id)).toBeUndefined();
  expect(await webhooks.deliveries.ofJob('somebody else', endpoint.id)).toEqual([]);
  await expect(webhooks.deliveries.replay('somebody else', id)).rejects.toMatchObject({
    code: 'delivery_not_found',
  });
});

it('a removed endpoint gets nothing more', async () => {
  const receiver = await receiving(status(500));
  const webhooks = await site.open(receiver.server.ca);
  const endpoint = await addEndpoint(webhooks, urlOf(receiver));
  const job = endedJob();
  await webhooks.deliveries.owe(job);
  const id = `${job.id}.${endpoint.id}`;
  await site.delivery(id, ({ attemptCount }) => attemptCount === 1);
  await webhooks.endpoints.remove(TENANT, endpoint.id);
  expect(await webhooks.deliveries.get(TENANT, id)).toMatchObject({ state: 'dropped' });
  site.pass(MINUTE);
  await site.delivery(id, ({ state, reason }) => state === 'dropped' && reason === 'the webhook was removed');
  await expect(webhooks.deliveries.replay(TENANT, id)).rejects.toMatchObject({ code: 'webhook_not_found' });
  expect(receiver.messages).toHaveLength(1);
});
