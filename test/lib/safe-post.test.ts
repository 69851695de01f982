import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseReceiverHosts } from '../../src/lib/receiver-hosts.ts';
import { createSafePost } from '../../src/lib/safe-post.ts';
import type { Posted, SafePostOptions } from '../../src/lib/safe-post.ts';
import { startHttps, writeEndlessly } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';
import { startMute } from '../support/mute-server.ts';

let server: HttpsServer;
let seen: IncomingMessage | undefined;
beforeAll(async () => {
  server = await startHttps((request, response) => {
    seen = request;
    request.resume().once('end', () => answer(request.url ?? '', response));
  });
});
afterAll(() => server[Symbol.asyncDispose]());

function answer(path: string, response: ServerResponse): void {
  switch (path) {
    case '/fine':
      response.writeHead(201, { 'retry-after': '7' }).end('thank you\u0000\n\u202e!');
      break;
    case '/moved':
      response.writeHead(302, { location: '/fine' }).end();
      break;
    case '/endless':
      writeEndlessly(response, 'x');
      break;
    case '/broken':
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
      break;
    case '/reset':
      response.destroy();
      break;
    default: // silent
  }
}

const message = { headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' }, body: '{"ü":1}' };
/** For a server that has no other address than the machine's own. */
const local = (options: SafePostOptions = {}) =>
  createSafePost({ ca: server.ca, isAddressAllowed: (address) => address !== '127.0.0.2', ...options });
const post = (path: string, options?: SafePostOptions): Promise<Posted> =>
  local(options)(`${server.origin}${path}`, message);

describe('a call', () => {
  it('brings the body and these headers, and nothing else', async () => {
    expect(await post('/fine')).toEqual({ status: 201, head: 'thank you !', retryAfter: '7' });
    expect(seen?.method).toBe('POST');
    expect(Object.keys(seen?.headers ?? {}).toSorted()).toEqual([
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'webhook-id',
    ]);
    expect(seen?.headers['content-length']).toBe(String(Buffer.byteLength(message.body)));
  });

  it('follows no redirect', async () => {
    const before = server.asked.length;
    expect(await post('/moved')).toMatchObject({ status: 302 });
    expect(server.asked.slice(before)).toEqual(['/moved']);
  });

  it('reads only the beginning of an answer, and keeps less', async () => {
    expect(await post('/endless')).toEqual({ status: 200, head: 'x'.repeat(500), retryAfter: undefined });
  });

  it('counts an answer whose body broke off', async () => {
    expect(await post('/broken')).toMatchObject({ status: 200 });
  });

  it.each([
    ['/reset', {}, 'the connection broke before an answer came'],
    ['/silent', { totalMs: 200 }, 'no answer within 0.2 s'],
  ])('says why there was no answer from %s', async (path, options, why) => {
    await expect(post(path, options)).rejects.toMatchObject({ name: 'PostFailed', message: why });
  });

  it('stops when it is told to, with the reason', async () => {
    const stop = new AbortController();
    const posting = local()(`${server.origin}/silent`, { ...message, signal: stop.signal });
    stop.abort(new Error('not wanted any more'));
    await expect(posting).rejects.toThrow('not wanted any more');
  });

  it('does not wait for ever for a connection', async () => {
    await using mute = await startMute();
    await expect(local({ connectMs: 100 })(`https://127.0.0.1:${mute.port}/`, message)).rejects.toThrow(
      'no connection within 100 ms',
    );
  });

  it('believes no certificate that nobody vouches for', async () => {
    const strict = createSafePost({ isAddressAllowed: () => true });
    await expect(strict(`${server.origin}/fine`, message)).rejects.toThrow(/certificate/);
  });
});

describe('addresses', () => {
  it.each(['localhost', '127.0.0.1', '[::1]', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]'])(
    'of this machine are refused: %s',
    async (host) => {
      const guarded = createSafePost({ ca: server.ca });
      const before = server.asked.length;
      await expect(guarded(`https://${host}:${server.port}/fine`, message)).rejects.toThrow(
        'the host has an address that is not public',
      );
      expect(server.asked).toHaveLength(before);
    },
  );

  it('of the list of own receivers are not, by http neither', async () => {
    const plain = createHttp((request, response) =>
      request.resume().once('end', () => response.end('plain')),
    );
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const { port } = plain.address() as AddressInfo;
    try {
      const isOwn = parseReceiverHosts(`localhost:${server.port},127.0.0.1:${port}`);
      const guarded = createSafePost({ ca: server.ca, isOwn });
      expect(await guarded(`${server.origin}/fine`, message)).toMatchObject({ status: 201 });
      expect(await guarded(`http://127.0.0.1:${port}/`, message)).toMatchObject({
        status: 200,
        head: 'plain',
      });
      await expect(guarded(`http://localhost:${port}/`, message)).rejects.toThrow('not https');
      await expect(guarded(`https://127.0.0.1:${server.port}/`, message)).rejects.toThrow('not public');
    } finally {
      plain.close();
    }
  });
});
