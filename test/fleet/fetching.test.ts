// A source that is being fetched when Redis goes away: its bytes cannot be counted, and it comes all the same.

import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { startHttps } from '../support/https-server.ts';
import { startRedis } from '../support/redis.ts';
import { startTestServer } from '../support/server.ts';

/** More than the buffers of a connection hold: when all is sent, most of it has been taken. */
const LENGTH = 20_000_000;

it('a download goes on without Redis, in its first attempt', { timeout: 30_000 }, async () => {
  const photo = await imageFixture({ width: 60, height: 40 });
  const asked = Promise.withResolvers<ServerResponse>();
  await using origin = await startHttps((_request, response) => asked.resolve(response));
  await using redis = await startRedis();
  await using server = await startTestServer(
    {
      ...{ QUEUE: 'bullmq', REDIS_URL: redis.url, STORE: 'disk', JOB_ATTEMPTS: '1' },
      ...{ REMOTE_SOURCES: `localhost:${origin.port}`, TENANT_BYTES_PER_DAY: '100000000' },
    },
    { remote: { isAddressAllowed: () => true, ca: origin.ca } },
  );
  const ordered = await server.request('/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      source: { url: `${origin.origin}/a.jpg` },
      recipe: { outputs: { small: { type: 'image', steps: [], format: 'webp' } } },
    }),
  });
  expect(ordered.status).toBe(202);
  const job = (await ordered.json()) as JobView;
  const response = await asked.promise;
  response.writeHead(200, { 'content-length': LENGTH });
  response.write(photo);
  await redis.stop();
  await eventually('it is known that Redis is away', async () => {
    const { checks } = (await (await server.request('/readyz')).json()) as {
      checks: { queue: { ok: boolean } };
    };
    return !checks.queue.ok;
  });
  // Whoever cannot count it would break it off: then it is closed before all is sent.
  const closed = once(response, 'close');
  response.end(Buffer.alloc(LENGTH - photo.length));
  await Promise.race([once(response, 'finish'), closed]);
  expect(response.writableFinished).toBe(true);
  await redis.start();
  await eventually('the server has found Redis again', async () => (await server.request('/readyz')).ok);
  expect(await server.finished(job)).toMatchObject({ status: 'succeeded' });
});
