// Every route there is, asked without a key and with a key of every scope but its own.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { SCOPES } from '../../src/access/caller.ts';
import type { Scope } from '../../src/access/caller.ts';
import { eventually } from '../support/eventually.ts';
import { makeKey } from '../support/keys.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { isGuarded, routesOf } from './routes.ts';
import type { KnownRoute } from './routes.ts';

let server: TestServer;
let routes: KnownRoute[];
const withoutScope = new Map<Scope, Record<string, string>>();

beforeAll(async () => {
  // Those that answer pages of other origins are there only then.
  routes = await routesOf({ ALLOW_ORIGIN: '*' });
  server = await startTestServer({ ALLOW_ORIGIN: '*' });
  for (const scope of SCOPES) {
    const others = SCOPES.filter((other) => other !== scope);
    withoutScope.set(scope, (await makeKey(server.config.DATA_DIR, { scopes: others })).headers);
  }
  await eventually('keys are asked for', async () => (await server.request('/v1/jobs')).status === 401);
});
afterAll(() => server[Symbol.asyncDispose]());

const ask = ({ method, url }: KnownRoute, headers: Record<string, string> = {}): Promise<Response> =>
  server.request(url.replaceAll(/:\w+|\*/g, 'x'), { method, headers });

it('finds them', () => {
  expect(routes.filter(isGuarded).length).toBeGreaterThan(20);
  expect(new Set(routes.map(({ scope }) => scope))).toContain('public');
});

it('leaves open what says nothing of anybody', () => {
  const open = routes.filter(({ method, scope }) => scope === 'public' && method !== 'HEAD');
  // A route that joins them is a decision: write it down here.
  const found = open.map(
    ({ method, url }) => `${method} ${url.replace(/^\/(docs|console)(?:\/.*)?$/, '/$1')}`,
  );
  expect([...new Set(found)].toSorted()).toEqual(OPEN.toSorted());
  const signed = routes.filter(({ scope }) => scope === 'signed');
  expect(new Set(signed.map(({ url }) => url))).toEqual(new Set(['/v1/images/:signature/*']));
});

it('answers 401 without a key, and the other scopes are not enough: 403', async () => {
  for (const route of routes.filter(isGuarded)) {
    const name = `${route.method} ${route.url}`;
    const bare = await ask(route);
    expect(bare.status, name).toBe(401);
    expect(bare.headers.get('www-authenticate'), name).toMatch(/^Bearer /);
    if (route.scope === 'any') continue;
    const answer = await ask(route, withoutScope.get(route.scope as Scope));
    expect(answer.status, name).toBe(403);
    expect(answer.headers.get('www-authenticate'), name).toContain(`scope="${route.scope}"`);
  }
});

const OPEN = [
  'GET /',
  // The page and the reference, with the files that they load.
  'GET /console',
  'GET /docs',
  'GET /livez',
  'GET /openapi.json',
  'GET /problems',
  'GET /readyz',
  'GET /v1/session',
  'DELETE /v1/session',
  // Which protocol the address speaks.
  'OPTIONS /v1/uploads',
  'OPTIONS /v1/uploads/:id',
  // Preflights, by ALLOW_ORIGIN.
  'OPTIONS /v1/jobs/:id/outputs/:name',
  'OPTIONS /v1/jobs/:id/outputs/:name/:file',
];
