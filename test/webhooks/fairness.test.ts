// Nobody waits for a receiver that is silent, nor for a tenant that has much to send.

import { describe, expect, it } from 'vitest';
import type { SafePost } from '../../src/lib/safe-post.ts';
import type { Webhooks } from '../../src/webhooks/webhooks.ts';
import { dispatching, urlOf } from './dispatching.ts';
import { endedJob, TENANT } from './site.ts';

const here = dispatching();

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
    const mute = await here.receiving(() => undefined);
    const receiver = await here.receiving();
    const webhooks = await here.site.open(receiver.server.ca);
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
    const webhooks = await here.site.open('', { post });
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
          here.site.pass(500);
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
    const webhooks = await here.site.open('', { post });
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
    const webhooks = await here.site.open('', { post });
    for (let i = 0; i < 5; i++) await oweTo(webhooks, `t${i}`, `https://silent.example:${1000 + i}/`);
    await oweTo(webhooks, 'b', 'https://b.example/');
    await expect.poll(() => to('b.example')).toBe(1);
    expect(to('silent.example')).toBe(1);
  });
});
