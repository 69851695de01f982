// A request whose process died is repeated where there is no room for a new job: its own job must not stand in its way.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { startHttps } from '../support/https-server.ts';
import type { HttpsServer } from '../support/https-server.ts';
import { problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { dieBeforeAnswer } from './died.ts';

let origin: HttpsServer;
beforeAll(async () => {
  // Never answers: what is fetched from it is at work for as long as one likes.
  origin = await startHttps(() => undefined);
});
afterAll(() => origin[Symbol.asyncDispose]());

const recipe = { outputs: { small: { type: 'image', steps: [], format: 'webp' } } };

function order(server: TestServer, key: string): Promise<Response> {
  return server.request('/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ source: { url: `${origin.origin}/a.jpg` }, recipe }),
  });
}

function start(env: Record<string, string>): Promise<TestServer> {
  return startTestServer(
    { REMOTE_SOURCES: `localhost:${origin.port}`, FETCH_SLOTS: '1', ...env },
    { remote: { isAddressAllowed: () => true, ca: origin.ca } },
  );
}

it.each([
  ['as many jobs as the tenant may have', { TENANT_ACTIVE_JOBS: '1' }, 'quota_exceeded', 1],
  ['as many jobs as may wait', { JOB_QUEUE: '1' }, 'overloaded', 2],
])('is answered with its job where there are %s', async (_what, env, code, room) => {
  await using server = await start(env);
  const made: JobView[] = [];
  for (let index = 0; index < room; index++) {
    const response = await order(server, `key-${index}`);
    expect(response.status).toBe(202);
    made.push((await response.json()) as JobView);
    if (index === 0) await begun(server, made[0]!);
  }
  expect(await problemOf(await order(server, 'another'))).toMatchObject({ code });
  await dieBeforeAnswer(server, 'key-0');
  const again = await order(server, 'key-0');
  expect(again.status).toBe(202);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(again.headers.get('location')).toBe(made[0]?.links.self);
  expect(((await again.json()) as JobView).id).toBe(made[0]?.id);
});

it('is answered with it also when it is removed afterwards', async () => {
  await using server = await start({});
  const { id } = (await (await order(server, 'key')).json()) as JobView;
  await dieBeforeAnswer(server, 'key');
  expect((await order(server, 'key')).status).toBe(202);
  expect((await server.request(`/v1/jobs/${id}`, { method: 'DELETE' })).status).toBe(204);
  const again = await order(server, 'key');
  expect(((await again.json()) as JobView).id).toBe(id);
  const { jobs } = (await (await server.request('/v1/jobs')).json()) as { jobs: JobView[] };
  expect(jobs).toEqual([]);
});

async function begun(server: TestServer, { id, links }: JobView): Promise<void> {
  const events = await server.request(links.events);
  const seen = events.body!.pipeThrough(new TextDecoderStream());
  let text = '';
  for await (const chunk of seen) {
    text += chunk;
    if (text.includes('"status":"running"')) return;
  }
  throw new Error(`the job ${id} never began`);
}
