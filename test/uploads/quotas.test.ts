// What a tenant may not do by uploads that come in parts: more bytes than it has, and more of them than anybody needs.

import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { accountOf } from '../../src/access/accounts.ts';
import { openMeters } from '../../src/registers/open.ts';
import { eventually } from '../support/eventually.ts';
import { limitTenant, makeKey } from '../support/keys.ts';
import { startTestServer } from '../support/server.ts';
import { OFFSET_BYTES, tus } from '../support/tus.ts';

const FILM = Buffer.concat([
  Buffer.from('1a45dfa3a34286844282886d6174726f736b61', 'hex'),
  randomBytes(40_000),
]);

it('charges what is put together as if it had been sent', async () => {
  await using server = await startTestServer();
  const { config, url } = server;
  const key = await makeKey(config.DATA_DIR, { tenant: 'acme', scopes: ['uploads'] });
  await limitTenant(config.DATA_DIR, 'acme', { bytesPerDay: 3 * FILM.length });
  await eventually('keys are asked for', async () => (await server.request('/v1/jobs')).status === 401);
  const part = async (bytes: Buffer): Promise<string> => {
    const headers = {
      ...key.headers,
      'upload-concat': 'partial',
      'upload-length': String(bytes.length),
      'content-type': OFFSET_BYTES,
    };
    const made = await tus(url, 'POST', '/v1/uploads', headers, bytes);
    expect(made.status).toBe(201);
    return String(made.headers.location);
  };
  const final = (...paths: string[]) =>
    tus(url, 'POST', '/v1/uploads', { ...key.headers, 'upload-concat': `final;${paths.join(' ')}` });
  const [one, two] = [await part(FILM.subarray(0, 15_000)), await part(FILM.subarray(15_000))];
  const meters = await openMeters(config);
  const account = accountOf('bytes', 'acme', Date.now()).name;
  await eventually('the parts are charged', async () => (await meters.spent(account)) === FILM.length);
  for (let twice = 0; twice < 2; twice++) expect((await final(one, two)).status).toBe(201);
  expect(await meters.spent(account)).toBe(2 * FILM.length);
  expect((await final(one)).status).toBe(201);
  const spent = await meters.spent(account);
  const list = async () => (await server.request('/v1/uploads', { headers: key.headers })).text();
  const before = await list();
  expect((await tus(url, 'DELETE', one, key.headers)).status).toBe(204);
  const three = await part(FILM.subarray(0, 15_001));
  await eventually('it is charged', async () => (await meters.spent(account)) === spent + 15_001);
  const refused = await final(three);
  expect([refused.status, refused.json()]).toMatchObject([429, { code: 'quota_exceeded' }]);
  expect(await list()).toBe(before);
  expect(await meters.spent(account)).toBe(spent + 15_001);
  await meters.close();
});

it('lets a tenant have so many unfinished uploads, and no more', async () => {
  await using server = await startTestServer({ TENANT_OPEN_UPLOADS: '2' });
  const begin = () => tus(server.url, 'POST', '/v1/uploads', { 'upload-length': '100' });
  const [first] = [await begin(), await begin()];
  const refused = await begin();
  expect([refused.status, refused.json()]).toMatchObject([429, { code: 'quota_exceeded' }]);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect((await tus(server.url, 'DELETE', String(first.headers.location))).status).toBe(204);
  expect((await begin()).status).toBe(201);
});
