import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY_FRESH_MS } from '../../src/access/keys.ts';
import { WATCH_EVERY_MS } from '../../src/plugins/auth.ts';
import { call } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { makeKey, revokeKey } from '../support/keys.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

type Key = Awaited<ReturnType<typeof makeKey>>;

const session = async (server: TestServer, headers: Record<string, string> = {}): Promise<unknown> =>
  (await server.request('/v1/session', { headers })).json();

describe('a server without keys', () => {
  it('asks nobody, whatever is sent, until the first key is made; then everyone, for ever', async () => {
    await using server = await startTestServer();
    const authorization = 'Basic dXNlcjpwYXNz';
    expect((await server.request('/v1/jobs', { headers: { authorization } })).status).toBe(200);
    expect(await session(server)).toMatchObject({ required: false, tenant: 'default' });
    const signIn = await server.request('/v1/session', { method: 'POST' });
    expect([signIn.status, signIn.headers.get('set-cookie')]).toEqual([204, null]);
    const key = await makeKey(server.config.DATA_DIR);
    await eventually('a key is asked for', async () => (await server.request('/v1/jobs')).status === 401);
    expect((await server.request('/v1/jobs', { headers: key.headers })).status).toBe(200);
    expect(await session(server)).toEqual({ required: true, tenant: null, scopes: [] });
    await revokeKey(server.config.DATA_DIR, key.id);
    await eventually(
      'the key does not hold',
      async () => (await server.request('/v1/jobs', { headers: key.headers })).status === 401,
    );
    expect((await server.request('/v1/jobs')).status).toBe(401);
  });
});

describe('a server without keys, and the browser of its user', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ ALLOW_HOSTS: 'media.example' });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const ask = async (path: string, headers: Record<string, string>, method = 'GET', body = '') => {
    const answer = await call(server.url, path, { method, headers, body });
    const { code, detail = '' } = (answer.body.length > 0 ? answer.json() : {}) as {
      code?: string;
      detail?: string;
    };
    return { status: answer.status, code, detail };
  };
  const page = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };

  it('takes nothing from pages of other sites', async () => {
    for (const headers of [page, { origin: page.origin }, { 'sec-fetch-site': 'cross-site' }])
      for (const [method, path] of [
        ['POST', '/v1/images?width=10'],
        ['POST', '/v1/uploads'],
        ['DELETE', '/v1/jobs/x'],
      ] as const) {
        const { status, code, detail } = await ask(path, headers, method);
        expect([status, code], path).toEqual([403, 'forbidden']);
        expect(detail).toContain('ALLOW_ORIGIN');
      }
    // Its own pages, and programs, go on to what is wrong with an empty image.
    const { host } = new URL(server.url);
    for (const headers of [{ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }, { host }])
      expect((await ask('/v1/images?width=10', headers, 'POST')).code).toBe('file_missing');
    // What it reads, a page cannot see.
    expect((await ask('/v1/jobs', page)).status).toBe(200);
  });

  it('answers under its own names only, but for its health', async () => {
    const headers = { host: 'rebound.example:3000', origin: 'http://rebound.example:3000' };
    for (const [method, path] of [
      ['GET', '/v1/jobs'],
      ['POST', '/v1/uploads'],
      ['GET', '/'],
      ['GET', '/v1/session'],
      ['GET', '/v1/images/sig/-/upload%3Ax'],
    ] as const) {
      const { status, code, detail } = await ask(path, headers, method);
      expect([status, code], path).toEqual([403, 'forbidden']);
      expect(detail).toContain('ALLOW_HOSTS');
    }
    expect((await ask('/livez', headers)).status).toBe(200);
    expect((await ask('/readyz', headers)).code).toBeUndefined();
    for (const host of ['localhost:1', '[::1]', 'media.example'])
      expect((await ask('/v1/jobs', { host })).status, host).toBe(200);
  });

  it('cuts off what was let in without a key when the first one is made, and asks for that alone then', async () => {
    const events = await server.request('/v1/events');
    expect(events.status).toBe(200);
    // A whole answer: a broken one would look like trouble of the network.
    const over = expect(events.text()).resolves.toContain('retry: ');
    const { headers } = await makeKey(server.config.DATA_DIR);
    await over;
    expect((await server.request('/v1/events')).status).toBe(401);
    expect((await ask('/v1/jobs', { ...headers, host: 'rebound.example' })).status).toBe(200);
    expect((await ask('/v1/images?width=10', { ...headers, ...page }, 'POST')).code).toBe('file_missing');
  });
});

it('a published port has names that nobody knows, and still takes nothing from pages of other sites', async () => {
  await using server = await startTestServer({ HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true' });
  const headers = { host: 'media.lan:8080' };
  const url = server.url.replace('0.0.0.0', '127.0.0.1');
  expect((await call(url, '/v1/jobs', { headers })).status).toBe(200);
  const post = (origin: string) =>
    call(url, '/v1/images?width=10', { method: 'POST', headers: { ...headers, origin } });
  expect((await post('http://media.lan:8080')).json()).toMatchObject({ code: 'file_missing' });
  expect((await post('http://evil.lan:8080')).json()).toMatchObject({ code: 'forbidden' });
});

it('tells pages of ALLOW_ORIGIN also that they need a key', async () => {
  await using server = await startTestServer({ ALLOW_ORIGIN: 'https://pages.example' });
  const key = await makeKey(server.config.DATA_DIR, { scopes: ['images'] });
  const paths = ['/v1/jobs/x/outputs/y', '/v1/jobs/x/outputs/y/z.ts', '/v1/uploads/x'];
  await eventually('keys are asked for', async () => (await server.request('/v1/jobs')).status === 401);
  for (const path of paths) {
    for (const [headers, status] of [
      [{}, 401],
      [key.headers, 403],
    ] as const) {
      const answer = await server.request(path, { headers });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('access-control-allow-origin'), path).toBe('https://pages.example');
    }
    expect((await server.request(path, { method: 'OPTIONS' })).status).toBe(204);
  }
});

describe('a server with keys', () => {
  let server: TestServer;
  let key: Key;
  let reader: Key;
  beforeAll(async () => {
    server = await startTestServer({ TRUST_PROXY: 'true' });
    key = await makeKey(server.config.DATA_DIR);
    reader = await makeKey(server.config.DATA_DIR, { scopes: ['jobs:read'] });
    await eventually('keys are asked for', async () => (await server.request('/v1/jobs')).status === 401);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('lets a key in, by RFC 6750', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER  ']) {
      const authorization = `${scheme} ${key.text}`;
      expect((await server.request('/v1/jobs', { headers: { authorization } })).status, scheme).toBe(200);
    }
    expect(await session(server, key.headers)).toMatchObject({ required: true, tenant: 'acme' });
    expect(await session(server, reader.headers)).toMatchObject({ scopes: ['jobs:read'] });
  });

  it.each([
    [{}, 'Bearer realm="mediamill"', 'asks for a key'],
    [{ authorization: 'Basic dXNlcjpwYXNz' }, 'Bearer realm="mediamill"', 'holds no key'],
    [{ authorization: 'Bearer' }, 'Bearer realm="mediamill"', 'holds no key'],
    [{ authorization: 'Bearer secret' }, 'error="invalid_token"', 'is no key'],
    [
      { authorization: `Bearer mm_0123456789ab_${'a'.repeat(43)}` },
      'error="invalid_token"',
      'has no such key',
    ],
    [{ cookie: `mediamill_session=ms_0123456789ab_${'a'.repeat(43)}` }, 'error="invalid_token"', 'has ended'],
  ])('answers %j with 401 and what to do', async (headers: Record<string, string>, challenge, why) => {
    const answer = await server.request('/v1/jobs', { headers });
    expect(answer.headers.get('www-authenticate')).toContain(challenge);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const problem = await problemOf(answer);
    expect(problem).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(problem.detail).toContain(why);
  });

  it('never takes a key from the address, and never repeats one', async () => {
    const answer = await server.request(`/v1/jobs?key=${key.text}&access_token=${key.text}`);
    expect(answer.status).toBe(401);
    expect(await answer.text()).not.toContain(key.text);
    const refused = await server.request('/v1/jobs', {
      headers: { authorization: `Bearer ${key.text}x` },
    });
    expect(await refused.text()).not.toContain(key.text);
  });

  it('says which scope is missing', async () => {
    const answer = await server.request('/v1/images', { method: 'POST', headers: reader.headers, body: 'x' });
    expect(answer.headers.get('www-authenticate')).toBe(
      'Bearer realm="mediamill", error="insufficient_scope", scope="images"',
    );
    const problem = await problemOf(answer);
    expect(problem).toMatchObject({ status: 403, code: 'forbidden' });
    expect(problem.detail).toContain('images');
    expect(problem.detail).toContain('jobs:read');
  });

  it('refuses before it reads a body', async () => {
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      await new Promise(() => undefined);
    };
    for (const [headers, status] of [
      [{}, 401],
      [reader.headers, 403],
    ] as const)
      expect((await call(server.url, '/v1/images', { method: 'POST', headers, body: body() })).status).toBe(
        status,
      );
  });

  it('keeps open what must be, and hides nothing behind 401 that is not there', async () => {
    for (const path of ['/livez', '/openapi.json', '/'])
      expect((await server.request(path)).status, path).toBe(200);
    expect((await problemOf(await server.request('/v1/nothing'))).code).toBe('route_not_found');
    // Signed addresses answer for themselves.
    expect((await problemOf(await server.request('/v1/images/sig/-/upload%3Ax'))).code).toBe(
      'signature_invalid',
    );
  });

  it('signs a browser in by a cookie that may only read', async () => {
    const signIn = await server.request('/v1/session', { method: 'POST', headers: key.headers });
    expect(signIn.status).toBe(204);
    const set = signIn.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^mediamill_session=ms_[\w-]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/);
    expect(set).not.toContain(key.text.slice(16));
    const cookie = `other=1; ${set.split(';')[0]}`;
    for (const method of ['GET', 'HEAD'])
      expect((await server.request('/v1/jobs', { method, headers: { cookie } })).status).toBe(200);
    expect(await session(server, { cookie })).toMatchObject({ required: true, tenant: 'acme' });
    for (const [method, path] of [
      ['POST', '/v1/images'],
      ['POST', '/v1/session'],
      ['DELETE', '/v1/jobs/x'],
    ] as const)
      expect((await server.request(path, { method, headers: { cookie } })).status, path).toBe(401);
    // The cookie is no key, and a key is no cookie.
    const authorization = `Bearer ${/ms_[\w-]+/.exec(set)?.[0]}`;
    expect((await server.request('/v1/jobs', { headers: { authorization } })).status).toBe(401);
    const wrong = { cookie: `mediamill_session=${key.text}` };
    expect((await server.request('/v1/jobs', { headers: wrong })).status).toBe(401);

    const signOut = await server.request('/v1/session', { method: 'DELETE', headers: { cookie } });
    expect(signOut.headers.get('set-cookie')).toMatch(/^mediamill_session=; Path=\/; Max-Age=0;/);
    expect((await server.request('/v1/jobs', { headers: { cookie } })).status).toBe(401);
  });

  it('sends the cookie back by https only where it came by https', async () => {
    const headers = { ...key.headers, 'x-forwarded-proto': 'https' };
    const signIn = await server.request('/v1/session', { method: 'POST', headers });
    expect(signIn.headers.get('set-cookie')).toMatch(/; Secure$/);
  });

  it('ends what is under way when its key is revoked, and nothing else', async () => {
    const leaving = await makeKey(server.config.DATA_DIR);
    const open = (headers: Record<string, string>) => {
      const sent = httpRequest(new URL('/v1/uploads', server.url), {
        method: 'POST',
        headers: { ...headers, expect: '100-continue' },
      });
      sent.flushHeaders();
      return sent;
    };
    const [stays, ends] = [open(key.headers), open(leaving.headers)];
    await Promise.all([once(stays, 'continue'), once(ends, 'continue')]);
    const over = once(ends, 'error');
    await revokeKey(server.config.DATA_DIR, leaving.id);
    const [error] = (await over) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    expect(stays.destroyed).toBe(false);
    const gone = once(stays, 'error');
    stays.destroy(new Error('enough'));
    await gone;
  });

  it('ends the events of a browser whose key is revoked', async () => {
    const leaving = await makeKey(server.config.DATA_DIR);
    const signIn = await server.request('/v1/session', { method: 'POST', headers: leaving.headers });
    const cookie = signIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    const events = await server.request('/v1/events', { headers: { cookie } });
    expect(events.status).toBe(200);
    // A whole answer: a broken one would look like trouble of the network.
    const over = expect(events.text()).resolves.toContain('retry: ');
    await revokeKey(server.config.DATA_DIR, leaving.id);
    await over;
    expect((await server.request('/v1/events', { headers: { cookie } })).status).toBe(401);
  });

  it('ends the events of a browser that signs out, and no others of the same key', async () => {
    const signIn = async (): Promise<string> => {
      const answer = await server.request('/v1/session', { method: 'POST', headers: key.headers });
      return answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    };
    const [leaving, staying] = [await signIn(), await signIn()];
    const watch = async (headers: Record<string, string>) => {
      const { body } = await server.request('/v1/events', { headers });
      const reader = body?.getReader();
      if (reader === undefined) throw new Error('no events');
      return reader;
    };
    const ends = await watch({ cookie: leaving });
    const stays = [await watch({ cookie: staying }), await watch(key.headers)];
    expect(
      (await server.request('/v1/session', { method: 'DELETE', headers: { cookie: leaving } })).status,
    ).toBe(204);
    const drained = async (): Promise<void> => {
      while (!(await ends.read()).done);
    };
    await drained();
    for (const reader of stays) {
      // What it began with, then nothing more: neither an end nor an error.
      let state = 'open';
      const reading = (async () => {
        while (!(await reader.read()).done);
        state = 'ended';
      })().catch(() => (state = 'broken'));
      expect((await server.request('/v1/jobs', { headers: { cookie: staying } })).status).toBe(200);
      expect(state).toBe('open');
      await reader.cancel();
      await reading;
    }
  });

  it('takes the cookie beside the password of a proxy, for reading', async () => {
    const signIn = await server.request('/v1/session', { method: 'POST', headers: key.headers });
    const cookie = signIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    const headers = { cookie, authorization: 'Basic dXNlcjpwYXNz' };
    for (const method of ['GET', 'HEAD'])
      expect((await server.request('/v1/jobs', { method, headers })).status).toBe(200);
    expect((await server.request('/v1/images', { method: 'POST', headers, body: 'x' })).status).toBe(401);
    // Who sends a key means the key.
    for (const authorization of ['Bearer', `Bearer ${key.text}x`])
      expect((await server.request('/v1/jobs', { headers: { cookie, authorization } })).status).toBe(401);
  });

  it('promises a second: what a process remembers, and how often it looks, are less together', () => {
    expect(KEY_FRESH_MS + WATCH_EVERY_MS).toBeLessThanOrEqual(800);
  });
});
