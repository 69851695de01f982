// What becomes of a message whose receiver is down, or answers otherwise than it should.

import { describe, expect, it } from 'vitest';
import { enabled, moved } from '../../src/webhooks/endpoint.ts';
import { DAY } from '../../src/webhooks/schedule.ts';
import { dispatching, status, urlOf } from './dispatching.ts';
import { isSignedWith } from './receiver.ts';
import { addEndpoint, endedJob, secretOf, TENANT } from './site.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const here = dispatching();

describe('a receiver that is down', () => {
  it('for an hour gets each message once when it is back: same id, valid signature', async () => {
    let down = true;
    const receiver = await here.receiving((response) => response.writeHead(down ? 500 : 204).end());
    const webhooks = await here.site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const begun = here.site.now();
    const jobs = [endedJob(), endedJob(), endedJob()];
    for (const job of jobs) await webhooks.deliveries.owe(job);
    const ids = jobs.map(({ id }) => `${id}.${endpoint.id}`);

    while (here.site.now() - begun < HOUR) {
      const seen = await Promise.all(
        ids.map((id) => here.site.delivery(id, ({ lease, tries }) => lease === null && tries > 0)),
      );
      here.site.pass(Math.min(...seen.map(({ nextAt }) => nextAt!)) - here.site.now());
      const due = seen.filter(({ nextAt }) => nextAt! <= here.site.now());
      for (const { id, attemptCount } of due)
        await here.site.delivery(id, (each) => each.attemptCount > attemptCount);
    }
    const failures = receiver.messages.length;
    expect(failures).toBeGreaterThanOrEqual(3 * 5);
    expect(failures).toBeLessThanOrEqual(3 * 7);

    down = false;
    here.site.pass(4 * HOUR);
    for (const id of ids) await here.site.delivery(id, ({ state }) => state === 'delivered');
    here.site.pass(30 * HOUR);
    const hooks = await here.hooksOf(receiver, webhooks);
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
    const receiver = await here.receiving(status(500));
    const webhooks = await here.site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const begun = here.site.now();
    const runDown = async (id: string): Promise<number> => {
      for (let count = 1; ; count++) {
        const { state, nextAt } = await here.site.delivery(
          id,
          (each) => each.attemptCount >= count && each.lease === null,
        );
        if (state !== 'pending') return count;
        here.site.pass(nextAt! - here.site.now());
      }
    };
    const first = endedJob();
    await webhooks.deliveries.owe(first);
    const attempts = await runDown(`${first.id}.${endpoint.id}`);
    expect(attempts).toBeGreaterThanOrEqual(11);
    expect(attempts).toBeLessThanOrEqual(13);
    const over = await here.site.delivery(`${first.id}.${endpoint.id}`, () => true);
    expect(over).toMatchObject({ state: 'failed', nextAt: null, attemptCount: attempts });
    expect(here.site.now() - begun).toBeLessThanOrEqual(3 * DAY);
    expect((await webhooks.endpoints.get(TENANT, endpoint.id))?.disabledAt).toBeNull();

    here.site.pass(begun + 5 * DAY - here.site.now());
    const second = endedJob();
    await webhooks.deliveries.owe(second);
    await here.site.delivery(`${second.id}.${endpoint.id}`, ({ attemptCount }) => attemptCount === 1);
    here.site.pass(10);
    await expect
      .poll(() => webhooks.endpoints.get(TENANT, endpoint.id))
      .toMatchObject({ disabledReason: 'failing' });
    expect(await webhooks.deliveries.get(TENANT, `${second.id}.${endpoint.id}`)).toMatchObject({
      state: 'dropped',
    });
    await webhooks.deliveries.owe(endedJob());
    expect(await here.hooksOf(receiver, webhooks)).toHaveLength(attempts + 1);
  });
});

describe('an answer', () => {
  it('of 500, twice, and then 200 is three attempts of one message', async () => {
    const receiver = await here.receiving(status(500, 500, 200));
    const webhooks = await here.site.open(receiver.server.ca);
    await addEndpoint(webhooks, urlOf(receiver));
    const job = endedJob();
    await webhooks.deliveries.owe(job);
    for (const count of [1, 2]) {
      const [made] = await webhooks.deliveries.ofJob(TENANT, job.id);
      await here.site.delivery(made!.id, ({ attemptCount }) => attemptCount === count);
      here.site.pass(MINUTE);
    }
    const [made] = await webhooks.deliveries.ofJob(TENANT, job.id);
    const delivery = await here.site.delivery(made!.id, ({ state }) => state === 'delivered');
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
    const receiver = await here.receiving(status(500, 410, 200));
    const webhooks = await here.site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const [waiting, last] = [endedJob(), endedJob()];
    const idOf = ({ id }: { id: string }): string => `${id}.${endpoint.id}`;
    await webhooks.deliveries.owe(waiting);
    await here.site.delivery(idOf(waiting), ({ attemptCount }) => attemptCount === 1);
    here.site.pass(1);
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
    here.site.pass(DAY);
    await here.site.delivery(idOf(waiting), ({ state }) => state === 'dropped');
    expect(receiver.messages).toHaveLength(2);
    await webhooks.deliveries.replay(TENANT, idOf(last));
    await here.site.delivery(idOf(last), ({ state }) => state === 'delivered');
    expect(receiver.messages[2]?.headers['webhook-id']).toBe(receiver.messages[1]?.headers['webhook-id']);
  });

  it('of 410 that comes from the address of before is no word of the new one', async () => {
    const held = Promise.withResolvers<void>();
    const receiver = await here.receiving((response, { path }) => {
      if (path === '/hook') void held.promise.then(() => response.writeHead(410).end());
      else response.end();
    });
    const webhooks = await here.site.open(receiver.server.ca);
    const endpoint = await addEndpoint(webhooks, urlOf(receiver));
    const job = endedJob();
    await webhooks.deliveries.owe(job);
    await receiver.came(1);
    await webhooks.endpoints.update(TENANT, endpoint.id, (each) => moved(each, urlOf(receiver, '/new')));
    held.resolve();
    const id = `${job.id}.${endpoint.id}`;
    expect(await here.site.delivery(id, ({ attemptCount }) => attemptCount === 1)).toMatchObject({
      state: 'pending',
    });
    here.site.pass(MINUTE);
    expect(await here.site.delivery(id, ({ state }) => state !== 'pending')).toMatchObject({
      state: 'delivered',
    });
    expect(receiver.messages.map(({ path }) => path)).toEqual(['/hook', '/new']);
    expect(await webhooks.endpoints.get(TENANT, endpoint.id)).toMatchObject({
      disabledAt: null,
      failingSince: null,
    });
  });

  it('of 410 to the address of a job drops that delivery', async () => {
    const receiver = await here.receiving(status(410));
    const webhooks = await here.site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await webhooks.deliveries.owe(job);
    const delivery = await here.site.delivery(`${job.id}.job`, ({ state }) => state !== 'pending');
    expect(delivery).toMatchObject({ state: 'dropped', attemptCount: 1 });
  });

  it('of 503 with Retry-After is waited for', async () => {
    const receiver = await here.receiving((response, _message, index) =>
      response.writeHead(index === 0 ? 503 : 200, { 'retry-after': '7200' }).end(),
    );
    const webhooks = await here.site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await webhooks.deliveries.owe(job);
    const { nextAt } = await here.site.delivery(`${job.id}.job`, ({ attemptCount }) => attemptCount === 1);
    expect(nextAt! - here.site.now()).toBe(2 * HOUR);
  });

  it('that redirects is a failure, and nothing goes where it leads', async () => {
    const receiver = await here.receiving((response, { path }) =>
      path === '/hook' ? response.writeHead(307, { location: '/elsewhere' }).end() : response.end(),
    );
    const webhooks = await here.site.open(receiver.server.ca);
    const job = endedJob({ webhook: { url: urlOf(receiver) } });
    await webhooks.deliveries.owe(job);
    const { attempts } = await here.site.delivery(`${job.id}.job`, ({ attemptCount }) => attemptCount === 1);
    expect(attempts[0]).toMatchObject({
      status: 307,
      error: expect.stringContaining('redirects') as unknown,
    });
    expect(receiver.messages.map(({ path }) => path)).toEqual(['/hook']);
  });
});
