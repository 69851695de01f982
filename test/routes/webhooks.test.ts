import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { newId } from '../../src/lib/id.ts';
import type { DeliveryView, WebhookView } from '../../src/webhooks/webhook-view.ts';
import { eventually } from '../support/eventually.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { isSignedWith, startReceiver } from '../webhooks/receiver.ts';
import type { Receiver } from '../webhooks/receiver.ts';
import { OWN_SECRET } from '../webhooks/site.ts';

type WithSecret = WebhookView & { readonly secret: string };

let server: TestServer;
let receiver: Receiver;
let photo: Uint8Array<ArrayBuffer>;
let answers: number[];

beforeAll(async () => {
  receiver = await startReceiver((response) => response.writeHead(answers.shift() ?? 200).end());
  server = await startTestServer(
    { WEBHOOK_SECRETS: OWN_SECRET, WEBHOOK_HOSTS: `localhost:${receiver.server.port}` },
    { remote: { ca: receiver.server.ca } },
  );
  const create = { width: 60, height: 40, channels: 3, background: '#3366aa' } as const;
  photo = new Uint8Array(await sharp({ create }).jpeg().toBuffer());
  answers = [];
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

const send = (method: string, path: string, body?: unknown): Promise<Response> =>
  server.request(path, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
const jsonOf = async <T>(response: Response): Promise<T> => (await response.json()) as T;
const hook = (path: string): string => `${receiver.server.origin}${path}`;
const make = async (path: string, events?: string[]): Promise<WithSecret> => {
  const response = await send('POST', '/v1/webhooks', { url: hook(path), events });
  expect(response.status).toBe(201);
  return jsonOf(response);
};
const to = (path: string) => receiver.messages.filter((message) => message.path === path);

async function runJob(query = ''): Promise<JobView> {
  const recipe = JSON.stringify({ outputs: { small: { type: 'image', steps: [], format: 'webp' } } });
  const response = await server.request(`/v1/jobs${query}`, {
    method: 'POST',
    body: form(photo, { recipe }),
  });
  expect(response.status).toBe(202);
  return server.finished(await jsonOf<JobView>(response));
}
const deliveriesOf = async ({ links }: JobView): Promise<DeliveryView[]> =>
  (await jsonOf<{ deliveries: DeliveryView[] }>(await send('GET', links.deliveries))).deliveries;
const settled = (path: string): Promise<DeliveryView> =>
  eventually(`the delivery ${path} is over`, async () => {
    const delivery = await jsonOf<DeliveryView>(await send('GET', path));
    return delivery.status === 'pending' ? undefined : delivery;
  });

describe('a webhook', () => {
  it('is made, listed, looked at, changed and removed; its secret is seen once', async () => {
    const response = await send('POST', '/v1/webhooks', { url: hook('/a') });
    const made = await jsonOf<WithSecret>(response);
    expect(response.headers.get('location')).toBe(made.links.self);
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { secret: _secret, ...shown } = made;
    expect(shown).toMatchObject({
      url: hook('/a'),
      events: ['job.succeeded', 'job.failed', 'job.cancelled'],
      disabledAt: null,
      disabledReason: null,
    });
    expect(await jsonOf(await send('GET', made.links.self))).toEqual(shown);
    expect(await jsonOf<object>(await send('GET', '/v1/webhooks'))).toEqual({ webhooks: [shown] });

    const changed = await send('PATCH', made.links.self, { url: hook('/b'), events: ['job.failed'] });
    expect(await jsonOf(changed)).toEqual({ ...shown, url: hook('/b'), events: ['job.failed'] });
    const off = await jsonOf<WebhookView>(await send('PATCH', made.links.self, { enabled: false }));
    expect(off).toMatchObject({ disabledReason: 'asked', disabledAt: expect.any(String) as string });
    expect(await problemOf(await send('POST', made.links.test))).toMatchObject({ code: 'webhook_disabled' });
    const on = await jsonOf<WebhookView>(await send('PATCH', made.links.self, { enabled: true }));
    expect(on.disabledAt).toBeNull();

    expect((await send('DELETE', made.links.self)).status).toBe(204);
    for (const [method, path] of [
      ['GET', made.links.self],
      ['DELETE', made.links.self],
      ['POST', made.links.test],
      ['POST', made.links.rotate],
    ] as const)
      expect(await problemOf(await send(method, path))).toMatchObject({
        code: 'webhook_not_found',
        status: 404,
      });
  });

  it.each([
    [{}, 'url'],
    [{ url: 'http://example.com/' }, 'url'],
    [{ url: 'https://127.0.0.1/' }, 'url'],
    [{ url: 'https://example.com/', events: [] }, 'events'],
    [{ url: 'https://example.com/', events: ['test'] }, 'events.0'],
    [{ url: 'https://example.com/', events: ['job.failed', 'job.failed'] }, 'events'],
    [{ url: 'https://example.com/', secret: 'mine' }, 'body'],
    [{ url: `https://example.com/${'x'.repeat(3000)}` }, 'url'],
  ])('is refused as %j, naming %s', async (body, field) => {
    const problem = await problemOf(await send('POST', '/v1/webhooks', body));
    expect(problem).toMatchObject({ code: 'invalid_request', status: 400 });
    expect(problem.errors?.map((error) => error.field)).toEqual([field]);
    expect(await jsonOf(await send('GET', '/v1/webhooks'))).toEqual({ webhooks: [] });
  });

  it('is refused when there are twenty', async () => {
    const made = [];
    for (let i = 0; i < 20; i++) made.push(await make(`/many/${i}`));
    const problem = await problemOf(await send('POST', '/v1/webhooks', { url: hook('/one-more') }));
    expect(problem).toMatchObject({ code: 'webhook_limit', status: 409 });
    for (const { links } of made) await send('DELETE', links.self);
  });
});

describe('the end of a job', () => {
  it('is told to those who want it, and the log of it can be read', async () => {
    const wanted = await make('/wanted', ['job.succeeded']);
    const unwanted = await make('/unwanted', ['job.failed', 'job.cancelled']);
    const job = await runJob();
    const [delivery] = await eventually('deliveries', async () => {
      const found = await deliveriesOf(job);
      return found.length > 0 ? found : undefined;
    });
    const done = await settled(delivery!.links.self);
    expect(done).toMatchObject({
      jobId: job.id,
      webhookId: wanted.id,
      event: 'job.succeeded',
      status: 'delivered',
      attemptCount: 1,
      nextAttemptAt: null,
      attempts: [{ status: 200, error: null }],
      links: { job: job.links.self },
    });
    expect(await deliveriesOf(job)).toEqual([done]);
    const [message] = to('/wanted');
    expect(isSignedWith(message!, wanted.secret)).toBe(true);
    expect(message?.headers['webhook-id']).toBe(done.messageId);
    expect(JSON.parse(message?.body ?? '')).toMatchObject({ type: 'job.succeeded', data: job });
    expect(message?.body).not.toMatch(/sources\/|results\//);
    expect(to('/unwanted')).toEqual([]);

    await send('DELETE', job.links.self);
    expect(await deliveriesOf(job)).toEqual([done]);
    for (const each of [wanted, unwanted]) await send('DELETE', each.links.self);
  });

  it('is told to the address that the job names, signed with WEBHOOK_SECRETS', async () => {
    const job = await runJob(`?webhook=${encodeURIComponent(hook('/own'))}`);
    await eventually('the message', () => to('/own').length > 0);
    const [message] = to('/own');
    expect(isSignedWith(message!, OWN_SECRET)).toBe(true);
    expect(JSON.parse(message?.body ?? '')).toMatchObject({
      data: { id: job.id, webhook: { url: hook('/own') } },
    });
    expect(await settled(`/v1/deliveries/${job.id}.job`)).toMatchObject({
      webhookId: null,
      status: 'delivered',
    });
  });
});

describe('a test message', () => {
  it('is sent, told of, and sent again by a replay', async () => {
    const made = await make('/test', ['job.failed']);
    const response = await send('POST', made.links.test);
    expect(response.status).toBe(202);
    const { links, messageId } = await jsonOf<DeliveryView>(response);
    expect(response.headers.get('location')).toBe(links.self);
    expect(await settled(links.self)).toMatchObject({ event: 'test', jobId: null, status: 'delivered' });
    expect((await send('POST', links.replay)).status).toBe(202);
    await eventually('the replay', () => to('/test').length === 2);
    expect(to('/test').map(({ headers }) => headers['webhook-id'])).toEqual([messageId, messageId]);
    await send('DELETE', made.links.self);
  });

  it('is signed with the old and the new secret after a rotation', async () => {
    const made = await make('/rotated');
    const after = await jsonOf<WithSecret>(await send('POST', made.links.rotate));
    expect(after.id).toBe(made.id);
    await send('POST', made.links.test);
    await eventually('the message', () => to('/rotated').length > 0);
    const [message] = to('/rotated');
    expect([made, after].map(({ secret }) => isSignedWith(message!, secret))).toEqual([true, true]);
    await send('DELETE', made.links.self);
  });

  it('that is answered by 410 disables the webhook', async () => {
    const made = await make('/gone');
    answers.push(410);
    const { links } = await jsonOf<DeliveryView>(await send('POST', made.links.test));
    expect(await settled(links.self)).toMatchObject({ status: 'dropped', attempts: [{ status: 410 }] });
    await eventually('it is disabled', async () => {
      const shown = await jsonOf<WebhookView>(await send('GET', made.links.self));
      return shown.disabledReason === 'gone';
    });
    expect(await problemOf(await send('POST', links.replay))).toMatchObject({
      code: 'webhook_disabled',
      status: 409,
    });
    await send('DELETE', made.links.self);
    expect(await problemOf(await send('POST', links.replay))).toMatchObject({ code: 'webhook_not_found' });
  });
});

it.each([
  ['GET', '/v1/deliveries/nothing', 'delivery_not_found'],
  ['GET', `/v1/deliveries/${newId()}.job`, 'delivery_not_found'],
  ['POST', `/v1/deliveries/${newId()}.${newId()}/replay`, 'delivery_not_found'],
  ['GET', `/v1/jobs/${newId()}/deliveries`, 'job_not_found'],
  ['GET', '/v1/jobs/nothing/deliveries', 'job_not_found'],
  ['PATCH', `/v1/webhooks/${newId()}`, 'webhook_not_found'],
])('%s %s is %s', async (method, path, code) => {
  const body = method === 'PATCH' ? { enabled: true } : undefined;
  expect(await problemOf(await send(method, path, body))).toMatchObject({ code, status: 404 });
});
