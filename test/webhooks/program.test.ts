import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeliveryView, WebhookView } from '../../src/webhooks/webhook-view.ts';
import { call } from '../support/client.ts';
import type { Answer as HttpAnswer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { finishedJob, fromEveryProcess, jobIn } from '../support/jobs.ts';
import { killNow } from '../support/processes.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { isSignedWith, startReceiver } from './receiver.ts';
import type { Answer, Receiver } from './receiver.ts';

let folder: string;
let receiver: Receiver;
let program: Program;
let photo: Uint8Array;
let answer: Answer;
beforeAll(async () => {
  receiver = await startReceiver((...message) => answer(...message));
  folder = await mkdtemp(join(tmpdir(), 'mediamill-receiver-'));
  await writeFile(join(folder, 'ca.pem'), receiver.server.ca);
  const create = { width: 60, height: 40, channels: 3, background: '#3366aa' } as const;
  photo = await sharp({ create }).jpeg().toBuffer();
  program = await startProgram({
    WEBHOOK_HOSTS: `localhost:${receiver.server.port}`,
    NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
    LOG_LEVEL: 'debug',
  });
}, 40_000);
afterAll(async () => {
  await program[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const send = (method: string, path: string, body?: object): Promise<HttpAnswer> =>
  call(program.address, path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
const make = async (path: string): Promise<WebhookView & { secret: string }> =>
  (await send('POST', '/v1/webhooks', { url: `${receiver.server.origin}${path}` })).json() as never;
const submit = async (): Promise<string> => {
  const path = '/v1/images?width=30&format=webp';
  const headers = { 'content-type': 'image/jpeg', prefer: 'respond-async' };
  return jobIn(await call(program.address, path, { method: 'POST', body: photo, headers })).id;
};
const delivered = (jobId: string): Promise<DeliveryView> =>
  eventually(`the delivery of ${jobId}`, async () => {
    const { deliveries } = (await send('GET', `/v1/jobs/${jobId}/deliveries`)).json() as {
      deliveries: DeliveryView[];
    };
    return deliveries.find(({ status }) => status === 'delivered');
  });

describe('two processes and one receiver', () => {
  it('every process knows the webhook, and each job is told of once', async () => {
    answer = (response) => response.end();
    const hook = await make('/once');
    for (const each of (await fromEveryProcess(program, hook.links.self)).values())
      expect(each.json()).toMatchObject({ id: hook.id });
    const ids = await Promise.all(Array.from({ length: 20 }, submit));
    for (const id of ids) {
      await finishedJob(program.address, id);
      expect(await delivered(id)).toMatchObject({ attemptCount: 1 });
    }
    const { messages } = receiver;
    expect(
      messages.map(({ body }) => (JSON.parse(body) as { data: { id: string } }).data.id).toSorted(),
    ).toEqual(ids.toSorted());
    expect(messages.every((message) => isSignedWith(message, hook.secret))).toBe(true);
    await send('DELETE', hook.links.self);
  });

  it('a message whose sender is killed in the middle of it comes again, with the same id', async () => {
    const before = receiver.messages.length;
    answer = (response, _message, index) => {
      if (index > before) response.end();
    };
    const hook = await make('/killed');
    const since = program.log.length;
    const { links } = (await send('POST', hook.links.test)).json() as DeliveryView;
    await receiver.came(before + 1);
    // Whoever made the test sends it; the log says who answered the call.
    const sender = await program.waitFor(
      ({ msg, url }) => msg === 'answered' && String(url).endsWith('/test'),
      { since },
    );
    expect(killNow(sender.pid)).toBe(true);
    await receiver.came(before + 2);
    const [first, second] = receiver.messages.slice(before);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(isSignedWith(second!, hook.secret)).toBe(true);
    await eventually('it is delivered', async () => {
      const delivery = (await send('GET', links.self)).json() as DeliveryView;
      return delivery.status === 'delivered';
    });
    expect(receiver.messages).toHaveLength(before + 2);
  });
});
