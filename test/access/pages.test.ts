import { expect, it } from 'vitest';
import { createPages } from '../../src/access/pages.ts';
import type { PageRequest } from '../../src/access/pages.ts';
import { readConfig } from '../../src/config.ts';

const sent = (headers: PageRequest['headers'], method = 'POST', host = headers.host ?? ''): PageRequest => ({
  method,
  host,
  headers,
});
const pages = (env: Record<string, string> = {}) => createPages(readConfig(env));

it.each([
  ['localhost:3000', true],
  ['127.0.0.1:3000', true],
  ['127.8.8.8', true],
  ['[::1]:3000', true],
  ['mediamill.localhost', true],
  ['media.example.com', true],
  ['MEDIA.example.com:8443', true],
  ['', true],
  ['evil.example', false],
  ['evil.example:3000', false],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example', false],
  ['x.media.example.com', false],
  ['0.0.0.0:3000', false],
  ['127.0.0.1@evil.example', false],
  ['192.168.0.7:3000', false],
])('on loopback, Host: %s is known: %s', (host, known) => {
  const { knowsHost } = pages({ ALLOW_HOSTS: 'media.example.com' });
  // Also after another one, and before.
  for (const other of ['localhost', host, 'evil.example', host, 'localhost', host])
    if (other === host) expect(knowsHost(sent({ host }, 'GET'))).toBe(known);
    else knowsHost(sent({ host: other }, 'GET'));
  // A published port has names that nobody knows.
  expect(pages({ HOST: '0.0.0.0' }).knowsHost(sent({ host }, 'GET'))).toBe(true);
  expect(knowsHost(sent({ host }, 'OPTIONS'))).toBe(true);
});

const host = '127.0.0.1:3000';
const evil = 'https://evil.example';
it.each<[string, PageRequest['headers'], boolean]>([
  ['no page', { host }, false],
  ['its own page', { host, origin: 'http://127.0.0.1:3000' }, false],
  ['its own page', { host, origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-origin' }, false],
  [
    'its own page behind a proxy that says another Host',
    { host, origin: 'https://media.example.com', 'sec-fetch-site': 'same-origin' },
    false,
  ],
  ['a host that was named', { host, origin: 'http://named.example:8080' }, false],
  ['an address that was typed', { host, 'sec-fetch-site': 'none' }, false],
  ['its own page, the port spelt out', { host: 'a.example:80', origin: 'http://a.example' }, false],
  ['another site', { host, origin: evil, 'sec-fetch-site': 'cross-site' }, true],
  ['another site, by an old browser', { host, origin: evil }, true],
  ['another site that hides its origin', { host, 'sec-fetch-site': 'cross-site' }, true],
  ['a frame without origin', { host, origin: 'null' }, true],
  [
    'another port of this machine',
    { host, origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-site' },
    true,
  ],
  ['a name that only begins alike', { host, origin: 'http://127.0.0.1:3000.evil.example' }, true],
])('what comes from %s: %j is foreign: %s', (_, headers, foreign) => {
  const { isForeign } = pages({ ALLOW_HOSTS: 'named.example' });
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    expect(isForeign(sent(headers, method)), method).toBe(foreign);
  for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(isForeign(sent(headers, method))).toBe(false);
});

it('lets pages of ALLOW_ORIGIN in, and those of the host that a trusted proxy tells', () => {
  const headers = { host, origin: evil, 'sec-fetch-site': 'cross-site' };
  expect(pages({ ALLOW_ORIGIN: 'https://Evil.example' }).isForeign(sent(headers))).toBe(false);
  expect(pages({ ALLOW_ORIGIN: '*' }).isForeign(sent(headers))).toBe(false);
  expect(pages({ ALLOW_ORIGIN: 'https://other.example' }).isForeign(sent(headers))).toBe(true);
  const passed = { host, origin: 'http://media.lan' };
  expect(pages().isForeign(sent(passed, 'POST', 'media.lan'))).toBe(false);
  expect(pages().isForeign(sent(passed))).toBe(true);
});
