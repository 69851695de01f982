import type { ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSafeDownload } from '../../src/lib/safe-download.ts';
import type { SafeDownloadOptions } from '../../src/lib/safe-download.ts';
import { startHttps, writeEndlessly } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';

let server: HttpsServer;
/** Resolves when the connection of the newest answer is closed. */
let closed: Promise<unknown>;
const film = Buffer.alloc(3_000_000, 'film');

beforeAll(async () => {
  server = await startHttps((request, response) => {
    closed = new Promise((resolve) => response.once('close', resolve));
    answer(request.url ?? '', response);
  });
});
afterAll(() => server[Symbol.asyncDispose]());

function answer(path: string, response: ServerResponse): void {
  const url = new URL(path, 'https://localhost');
  const named = url.searchParams.get('named');
  if (named !== null) response.setHeader('content-disposition', named);
  const [, what = ''] = url.pathname.split('/');
  switch (what) {
    case 'fine':
      response.end(film);
      break;
    case 'hop':
      response.writeHead(302, { location: '/fine/last.mp4' }).end();
      break;
    case 'stalls':
      response.writeHead(200, { 'content-length': film.length });
      response.write(film.subarray(0, 1000));
      break;
    case 'broken':
      response.writeHead(200, { 'content-length': film.length });
      response.write(film.subarray(0, 1000), () => response.destroy());
      break;
    case 'endless':
      writeEndlessly(response);
      break;
    case 'missing':
      response.writeHead(404).end();
      break;
    default: // silent
  }
}

const download = (
  path: string,
  options: Partial<SafeDownloadOptions> = {},
  { maxBytes = 10_000_000, signal = new AbortController().signal } = {},
) =>
  createSafeDownload({
    isAllowed: () => true,
    isAddressAllowed: () => true,
    ca: server.ca,
    ...options,
  })(`${server.origin}${path}`, { maxBytes, signal });
const code = (name: string) => expect.objectContaining({ code: name });

describe('a download', () => {
  it('brings all bytes, and tells how many there are so far', async () => {
    const told: [number, number | undefined][] = [];
    const file = await createSafeDownload({
      isAllowed: () => true,
      isAddressAllowed: () => true,
      ca: server.ca,
    })(`${server.origin}/fine/a.mp4`, {
      maxBytes: film.length,
      signal: new AbortController().signal,
      onBytes: (seen, announced) => told.push([seen, announced]),
    });
    expect((await buffer(file.body)).equals(film)).toBe(true);
    expect(told.at(-1)).toEqual([film.length, film.length]);
  });

  it.each([
    ['/fine/a%20film.mp4?token=secret', 'a film.mp4'],
    ['/hop/first.mp4', 'last.mp4'],
    ['/fine/', null],
    ['/fine/%ff', '%ff'],
    [`/fine/a?named=${encodeURIComponent('attachment; filename="../b.mov"')}`, 'b.mov'],
    [
      `/fine/a?named=${encodeURIComponent("attachment; filename=b.mov; filename*=UTF-8''%C3%A9t%C3%A9.mov")}`,
      'été.mov',
    ],
    [`/fine/a?named=${encodeURIComponent("attachment; filename=b.mov; filename*=UTF-8''%ff")}`, 'b.mov'],
  ])('of %s is named %j', async (path, name) => {
    const file = await download(path);
    file.body.destroy();
    expect(file.name).toBe(name);
  });

  it.each([
    ['/missing', {}, 'source_not_found'],
    ['/silent', { stallMs: 100 }, 'source_unavailable'],
    ['/fine', { isAllowed: () => false }, 'source_forbidden'],
    ['/fine', { isAddressAllowed: () => false }, 'source_forbidden'],
  ])('of %s with %j is refused with %s', async (path, options, expected) => {
    await expect(download(path, options)).rejects.toEqual(code(expected));
  });

  it.each([
    ['/broken', {}, 10_000_000, 'source_unavailable'],
    ['/endless', {}, 10_000_000, 'payload_too_large'],
    ['/stalls', { stallMs: 100 }, 10_000_000, 'source_unavailable'],
    ['/stalls', { leastMs: -45_500 }, 10_000_000, 'source_unavailable'],
  ])('of %s with %j ends with %s', async (path, options, maxBytes, expected) => {
    const file = await download(path, options, { maxBytes });
    await expect(buffer(file.body)).rejects.toEqual(code(expected));
    await closed;
  });

  it('is not given up because our own disk is slow', async () => {
    const file = await download('/fine', { stallMs: 250 });
    // More than both sides buffer: the host waits for us, and not we for the host.
    await sleep(800);
    expect((await buffer(file.body)).length).toBe(film.length);
  });

  it('that is announced too large is refused at once', async () => {
    await expect(download('/fine', {}, { maxBytes: 1000 })).rejects.toEqual(code('payload_too_large'));
    await closed;
  });

  it('closes its connection when it is told to stop, and when its body is thrown away', async () => {
    const stop = new AbortController();
    const stopped = await download('/stalls', {}, { signal: stop.signal });
    stop.abort(new Error('not wanted any more'));
    await expect(buffer(stopped.body)).rejects.toThrow('not wanted any more');
    await closed;
    const dropped = await download('/endless', {}, { maxBytes: 1e12 });
    dropped.body.destroy();
    await closed;
  });
});
