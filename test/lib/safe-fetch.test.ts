import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSafeFetch } from '../../src/lib/safe-fetch.ts';
import type { SafeFetchOptions } from '../../src/lib/safe-fetch.ts';
import { startHttps, writeEndlessly } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';
import { startMute } from '../support/mute-server.ts';

let server: HttpsServer;
let seen: IncomingMessage | undefined;
const picture = Buffer.from('a picture, more or less');

beforeAll(async () => {
  server = await startHttps((request, response) => {
    seen = request;
    answer(request.url ?? '', response);
  });
});
afterAll(() => server[Symbol.asyncDispose]());

function answer(path: string, response: ServerResponse): void {
  const [, what = '', more = ''] = path.split('/');
  switch (what) {
    case 'fine':
      response.end(picture);
      break;
    case 'chunked':
      response.write(picture.subarray(0, 5));
      response.end(picture.subarray(5));
      break;
    case 'status':
      response.writeHead(Number(more)).end('no');
      break;
    case 'hops':
      response
        .writeHead(302, {
          location: Number(more) > 0 ? `/hops/${Number(more) - 1}` : '/fine',
          'set-cookie': 'a=1',
        })
        .end();
      break;
    case 'to':
      response.writeHead(307, { location: decodeURIComponent(more) }).end();
      break;
    case 'endless':
      writeEndlessly(response);
      break;
    case 'large':
      response.writeHead(200, { 'content-length': '1000000' });
      response.write('x');
      break;
    case 'broken':
      response.writeHead(200, { 'content-length': '100' });
      response.write('x', () => response.destroy());
      break;
    case 'gzip':
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('x');
      break;
    default: // silent
  }
}

/** For a server that has no other address than the machine's own. */
const local = (options: Partial<SafeFetchOptions> = {}) =>
  createSafeFetch({
    isAllowed: (url) => url.port === String(server.port),
    isAddressAllowed: (address) => address === '127.0.0.1' || address === '::1',
    ca: server.ca,
    ...options,
  });
const get = (path: string, options?: Partial<SafeFetchOptions>, maxBytes = 1000) =>
  local(options)(new URL(path, server.origin).href, { maxBytes });
const code = (code: string) => expect.objectContaining({ code });

describe('a safe fetch', () => {
  it.each(['/fine', '/chunked', '/hops/2'])(
    'brings all bytes of %s, in a buffer of their own',
    async (path) => {
      const bytes = await get(path);
      expect(Buffer.from(bytes)).toEqual(picture);
      expect(bytes.buffer).toBeInstanceOf(ArrayBuffer);
    },
  );

  it('takes nothing along: no cookies, no referrer, no compression', async () => {
    await get('/hops/1');
    expect(Object.keys(seen?.headers ?? {}).toSorted()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ]);
    expect(seen?.headers).toMatchObject({ 'accept-encoding': 'identity', connection: 'close' });
  });

  it('follows three redirects and no more', async () => {
    await expect(get('/hops/2')).resolves.toBeDefined();
    const before = server.asked.length;
    await expect(get('/hops/3')).rejects.toEqual(code('source_unavailable'));
    expect(server.asked.length - before).toBe(4);
  });

  it.each([
    ['what the list does not allow', 'https://example.com/'],
    ['http', 'http://localhost/'],
    ['a user name', 'https://me:secret@localhost/'],
    ['a file', 'file:///etc/passwd'],
    ['an address that is not public', () => `https://127.0.0.2:${server.port}/fine`],
    ['the same, hidden in IPv6', () => `https://[::ffff:127.0.0.2]:${server.port}/fine`],
    ['no URL at all', 'https://'],
  ])('does not go to %s, not by a redirect either', async (_what, target) => {
    const url = typeof target === 'string' ? target : target();
    const before = server.asked.length;
    await expect(local()(url, { maxBytes: 1000 })).rejects.toEqual(code('source_forbidden'));
    expect(server.asked.length - before).toBe(0);
    await expect(get(`/to/${encodeURIComponent(url)}`)).rejects.toEqual(code('source_forbidden'));
    expect(server.asked.length - before).toBe(1);
  });

  it('refuses a name that leads to this machine, although it is on the list', async () => {
    const guarded = createSafeFetch({ isAllowed: () => true, ca: server.ca });
    for (const host of ['localhost', '127.0.0.1', '[::1]', '0x7f.1', '2130706433']) {
      const url = `https://${host}:${server.port}/fine`;
      const before = server.asked.length;
      await expect(guarded(url, { maxBytes: 1000 })).rejects.toEqual(code('source_forbidden'));
      expect(server.asked.length).toBe(before);
    }
  });

  it.each([
    ['/status/404', 'source_not_found'],
    ['/status/410', 'source_not_found'],
    ['/status/400', 'source_forbidden'],
    ['/status/401', 'source_forbidden'],
    ['/status/403', 'source_forbidden'],
    ['/status/451', 'source_forbidden'],
    ['/status/408', 'source_unavailable'],
    ['/status/425', 'source_unavailable'],
    ['/status/429', 'source_unavailable'],
    ['/status/500', 'source_unavailable'],
    ['/status/204', 'source_unavailable'],
    ['/status/206', 'source_unavailable'],
    ['/endless', 'payload_too_large'],
    ['/large', 'payload_too_large'],
    ['/broken', 'source_unavailable'],
    ['/gzip', 'source_unavailable'],
    ['/to/', 'source_unavailable'],
  ])('%s is %s', async (path, expected) => {
    await expect(get(path)).rejects.toEqual(code(expected));
  });

  it('does not wait for ever for an answer', async () => {
    await expect(get('/silent', { totalMs: 200 })).rejects.toEqual(code('source_unavailable'));
    await expect(get('/endless', { totalMs: 200 }, 1e9)).rejects.toEqual(code('source_unavailable'));
  });

  it('does not wait for ever for a connection', async () => {
    await using mute = await startMute();
    const fetching = local({ isAllowed: () => true, connectMs: 100 });
    await expect(fetching(`https://127.0.0.1:${mute.port}/`, { maxBytes: 10 })).rejects.toEqual(
      code('source_unavailable'),
    );
  });

  it('believes no certificate that nobody vouches for', async () => {
    const strict = createSafeFetch({ isAllowed: () => true, isAddressAllowed: () => true });
    await expect(strict(`${server.origin}/fine`, { maxBytes: 1000 })).rejects.toEqual(
      code('source_unavailable'),
    );
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const fetching = local()(`${server.origin}/endless`, { maxBytes: 1e9, signal: stop.signal });
    stop.abort(new Error('not wanted any more'));
    await expect(fetching).rejects.toThrow('not wanted any more');
  });
});
