// Through a small app of its own, so that a test says what time it is; the real server's part is in test/access.

import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accountOf } from '../../src/access/accounts.ts';
import { ANYBODY, UNLIMITED } from '../../src/access/caller.ts';
import type { Caller, TenantLimits } from '../../src/access/caller.ts';
import type { Meters } from '../../src/contracts.ts';
import { limits } from '../../src/plugins/limits.ts';
import { problemHandler } from '../../src/plugins/problem-handler.ts';
import { openRegisters } from '../access/records.ts';
import type { Registers } from '../access/records.ts';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import '../../src/plugins/auth.ts';

let registers: Registers;
let active: number;
/** Requests that their handler has, and bytes that it has read. */
let inside: number;
let read: number;
/** Until it is released, some handlers do not answer. */
let held: Promise<void>;
let release: () => void;
let allowed: Partial<TenantLimits>;
const apps: FastifyInstance[] = [];

beforeEach(async () => {
  registers = await openRegisters();
  held = new Promise((resolve) => (release = resolve));
  active = 0;
  inside = 0;
  read = 0;
});
afterEach(async () => {
  release();
  for (const app of apps.splice(0)) await app.close();
  await registers[Symbol.asyncDispose]();
});

/** Two of them share the meters, as two processes do. */
async function start(given: Partial<TenantLimits>, meters: Meters = registers.meters): Promise<string> {
  allowed = given;
  const app = fastify({ forceCloseConnections: true });
  apps.push(app);
  await app.register(problemHandler);
  const identified = async (instance: FastifyInstance): Promise<void> => {
    instance.decorateRequest('caller', undefined as unknown as Caller);
    instance.addHook('onRequest', async (request) => {
      const tenant = String(request.headers['x-tenant'] ?? 'acme');
      request.caller =
        request.url === '/public'
          ? ANYBODY
          : { ...ANYBODY, keyId: 'key', tenant, limits: { ...UNLIMITED, ...allowed } };
    });
  };
  await app.register(fp(identified, { name: 'auth' }));
  const { now } = registers;
  const counts = async () => ({ queued: active, running: 0, succeeded: 9, failed: 9, cancelled: 9 });
  await app.register(limits, { meters, queue: { counts }, now });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.get('/', async () => 'read');
  app.get('/public', async () => 'public');
  app.post('/', (request) => readAll(request.raw));
  app.get('/stream', { config: { held: true } }, async () => {
    inside++;
    await held;
    return 'ended';
  });
  app.post('/held', async () => {
    inside++;
    await held;
    return 'done';
  });
  app.post('/jobs', { onRequest: (request) => request.admitTenantJob() }, async () => {
    inside++;
    await held;
    active++;
    return 'queued';
  });
  app.post('/fetch', { onRequest: (request) => request.admitTenantBytes() }, async () => 'queued');
  app.post('/videos', { onRequest: (request) => request.admitTenantMinutes() }, async () => 'queued');
  await app.listen({ port: 0, host: '127.0.0.1' });
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}

const post = (url: string, path = '/', body = '', headers: Record<string, string> = {}) =>
  call(url, path, { method: 'POST', body, headers });
const spentBytes = (): Promise<number> =>
  registers.meters.spent(accountOf('bytes', 'acme', registers.now()).name);

describe('requests per minute', () => {
  it('are counted across processes, told in headers, and come back with time', async () => {
    const urls = [await start({ requestsPerMinute: 180 }), await start({ requestsPerMinute: 180 })];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) => call(urls[index % 2] ?? '', '/')),
    );
    const through = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect([through.length, refused.length]).toEqual([30, 30]);
    for (const { headers } of answers) expect(headers['ratelimit-policy']).toBe('"requests";q=30;w=10');
    const left = through.map(
      ({ headers }) => /^"requests";r=(\d+);t=\d+$/.exec(String(headers['ratelimit']))?.[1],
    );
    expect(new Set(left).size).toBe(30);
    const last = refused[0];
    expect(last?.headers).toMatchObject({ 'retry-after': '1', ratelimit: '"requests";r=0;t=10' });
    expect(last?.json()).toMatchObject({ code: 'rate_limited', status: 429 });
    registers.pass(334);
    expect((await call(urls[0] ?? '', '/')).headers['ratelimit']).toBe('"requests";r=0;t=10');
    expect((await call(urls[1] ?? '', '/')).status).toBe(429);
    expect((await call(urls[1] ?? '', '/', { headers: { 'x-tenant': 'other' } })).status).toBe(200);
  });

  it.each([
    [1, 1, '"requests";q=1;w=60'],
    [2, 2, '"requests";q=1;w=30'],
    [60, 69, '"requests";q=10;w=10'],
  ])('%i a minute are no more than %i in any', async (perMinute, most, policy) => {
    const url = await start({ requestsPerMinute: perMinute });
    let through = 0;
    // Whoever asks without end, from a full bucket on.
    for (let second = 0; second < 60; second++) {
      for (;;) {
        const { status, headers } = await call(url, '/');
        expect(headers['ratelimit-policy']).toBe(policy);
        if (status !== 200) break;
        through++;
      }
      registers.pass(1000);
    }
    expect(through).toBe(most);
    registers.pass(60_000);
    // In step with the limit, nobody is refused.
    for (let request = 0; request < 10; request++) {
      expect((await call(url, '/')).status).toBe(200);
      registers.pass(60_000 / perMinute);
    }
  });

  it('leave public and signed addresses alone, and tenants without limits', async () => {
    const url = await start({ requestsPerMinute: 1 });
    for (let tries = 0; tries < 3; tries++) {
      const { status, headers } = await call(url, '/public');
      expect([status, headers['ratelimit']]).toEqual([200, undefined]);
    }
  });
});

describe('requests at once', () => {
  it('are bounded across processes, and free when they are answered or the client leaves', async () => {
    const urls = [await start({ concurrentRequests: 2 }), await start({ concurrentRequests: 2 })];
    const [left = '', right = ''] = urls;
    const first = connect(Number(new URL(left).port), '127.0.0.1');
    first.write('POST /held HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    await eventually('the first is inside', () => inside === 1);
    const second = post(right, '/held');
    await eventually('both are inside', () => inside === 2);
    const third = await post(left);
    expect(third.json()).toMatchObject({ code: 'rate_limited', status: 429 });
    expect(third.headers['retry-after']).toBe('1');
    // Reading is not working.
    expect((await call(left, '/')).status).toBe(200);
    expect((await post(left, '/', '', { 'x-tenant': 'other' })).status).toBe(200);
    // Streams have places of their own.
    const streams = [call(left, '/stream'), call(right, '/stream')];
    await eventually('both are open', () => inside === 4);
    expect((await call(left, '/stream')).json()).toMatchObject({ code: 'rate_limited' });
    first.destroy();
    await eventually('its place is free', async () => (await post(right)).status === 200);
    release();
    await Promise.all([second, ...streams]);
  });
});

describe('bytes per day', () => {
  it('are refused before the body when they would be too many, until midnight', async () => {
    const url = await start({ bytesPerDay: 1000 });
    expect((await post(url, '/', 'x'.repeat(600))).json()).toEqual({ bytes: 600 });
    // Set aside until then: nobody can have used them in between.
    await eventually('settled', async () => (await spentBytes()) === 600);
    const refused = await post(url, '/', 'x'.repeat(401));
    expect(refused.json()).toMatchObject({ code: 'quota_exceeded', status: 429 });
    expect(Number(refused.headers['retry-after'])).toBe(12 * 3600 - 1);
    // What was refused costs nothing, and what fits fits.
    expect((await post(url, '/', 'x'.repeat(400))).status).toBe(200);
    await eventually('settled', async () => (await spentBytes()) === 1000);
    expect((await post(url, '/')).status).toBe(200);
    registers.pass((12 * 3600 - 1) * 1000);
    expect((await post(url, '/', 'x'.repeat(1000))).status).toBe(200);
  });

  it('are reserved: of many at once no more get in than fit', async () => {
    const urls = [await start({ bytesPerDay: 1000 }), await start({ bytesPerDay: 1000 })];
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => post(urls[index % 2] ?? '', '/', 'x'.repeat(300))),
    );
    const through = answers.filter(({ status }) => status === 200).length;
    // Reservations that meet may refuse one another, never let one more in.
    expect(through).toBeGreaterThan(0);
    expect(through).toBeLessThanOrEqual(3);
    await eventually('settled', async () => (await spentBytes()) === through * 300);
  });

  it('are those that came, where the client left', async () => {
    const url = await start({ bytesPerDay: 100_000 });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n${'x'.repeat(1000)}`);
    await eventually('it is inside', () => read === 1000);
    // What is to come is set aside.
    expect((await post(url, '/', 'x'.repeat(10_001))).json()).toMatchObject({ code: 'quota_exceeded' });
    await written(socket, 'x'.repeat(2000));
    await eventually('it was read', () => read === 3000);
    socket.destroy();
    await eventually('what came is spent', async () => (await spentBytes()) === 3000);
    expect((await post(url, '/', 'x'.repeat(97_000))).status).toBe(200);
  });

  it('are spent while they come, and what a killed process had set aside is free after its lease', async () => {
    const dying = dyingMeters(registers.meters);
    const [left, right] = [
      await start({ bytesPerDay: 100_000 }, dying.meters),
      await start({ bytesPerDay: 100_000 }),
    ];
    const socket = connect(Number(new URL(left).port), '127.0.0.1');
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n${'x'.repeat(4000)}`);
    await eventually('what came is spent', async () => (await spentBytes()) === 4000);
    dying.kill();
    socket.destroy();
    registers.pass(59_999);
    expect((await post(right, '/', 'x'.repeat(10_001))).json()).toMatchObject({ code: 'quota_exceeded' });
    registers.pass(1);
    expect((await post(right, '/', 'x'.repeat(96_000))).status).toBe(200);
    await eventually('no more than came is spent', async () => (await spentBytes()) === 100_000);
  });

  it('are asked for where none come with the request, but some will be fetched', async () => {
    const url = await start({ bytesPerDay: 1000 });
    expect((await post(url, '/fetch')).status).toBe(200);
    const account = accountOf('bytes', 'acme', registers.now());
    await registers.meters.spend(account.name, 1000, account.keptUntil);
    const refused = await post(url, '/fetch');
    expect(refused.json()).toMatchObject({ code: 'quota_exceeded', status: 429 });
    expect(Number(refused.headers['retry-after'])).toBe(12 * 3600 - 1);
    registers.pass(account.endsAt - registers.now());
    expect((await post(url, '/fetch')).status).toBe(200);
  });

  it('are counted of bodies that do not say how long they are', async () => {
    const url = await start({ bytesPerDay: 1000 });
    const chunked = async function* (bytes: number): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(bytes);
    };
    const first = await call(url, '/', { method: 'POST', body: chunked(900) });
    expect(first.json()).toEqual({ bytes: 900 });
    // The marks around the chunks count too.
    await eventually('counted', async () => (await spentBytes()) >= 900);
    expect(await spentBytes()).toBeLessThan(930);
    await call(url, '/', { method: 'POST', body: chunked(200) });
    await eventually('spent', async () => (await spentBytes()) > 1000);
    expect((await call(url, '/', { method: 'POST', body: chunked(1) })).status).toBe(429);
  });

  it('break off a body that goes on past them', async () => {
    const url = await start({ bytesPerDay: 10_000 });
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) {
        yield new Uint8Array(4096);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const answer = await call(url, '/', { method: 'POST', body: endless() });
    expect(answer.json()).toMatchObject({ code: 'quota_exceeded', status: 429 });
  });
});

describe('jobs', () => {
  it('that wait or run are bounded, those just being accepted too, across processes', async () => {
    const urls = [await start({ activeJobs: 3 }), await start({ activeJobs: 3 })];
    const [left = '', right = ''] = urls;
    active = 1;
    const held = [post(right, '/jobs'), post(right, '/jobs')];
    await eventually('both are being accepted', () => inside === 2);
    const refused = await post(left, '/jobs');
    expect(refused.json()).toMatchObject({ code: 'quota_exceeded', status: 429 });
    expect(refused.headers['retry-after']).toBe('10');
    expect((await post(left, '/', 'x')).status).toBe(200);
    release();
    await Promise.all(held);
    expect(active).toBe(3);
    expect((await post(right, '/jobs')).status).toBe(429);
    active = 2;
    await eventually('one has ended', async () => (await post(right, '/jobs')).status === 200);
  });
});

describe('minutes', () => {
  it('are asked for before a video is taken, until midnight', async () => {
    const url = await start({ minutesPerDay: 10 });
    const account = accountOf('minutes', 'acme', registers.now());
    await registers.meters.spend(account.name, 9.9, account.keptUntil);
    expect((await post(url, '/videos')).status).toBe(200);
    await registers.meters.spend(account.name, 0.1, account.keptUntil);
    const refused = await post(url, '/videos');
    expect(refused.json()).toMatchObject({ code: 'quota_exceeded', status: 429 });
    expect(Number(refused.headers['retry-after'])).toBe(12 * 3600 - 1);
    registers.pass(account.endsAt - registers.now());
    expect((await post(url, '/videos')).status).toBe(200);
  });
});

/** Those of a process that is killed: from then on nothing of it is written. */
function dyingMeters(meters: Meters): { readonly meters: Meters; kill(): void } {
  let alive = true;
  const settle: Meters['settle'] = (...given) =>
    alive ? meters.settle(...given) : new Promise(() => undefined);
  return { meters: { ...meters, settle }, kill: () => void (alive = false) };
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<{ bytes: number }> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    read += chunk.length;
  }
  return { bytes };
}

function written(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => socket.write(text, (error) => (error ? reject(error) : resolve())));
}
