import { expect, it } from 'vitest';
import { startTestServer } from '../support/server.ts';

const ORIGIN = 'https://pages.example';
const OUTPUT = '/v1/jobs/x/outputs/y';

it('lets pages of ALLOW_ORIGIN read why and until when they are refused', async () => {
  await using server = await startTestServer({ ALLOW_ORIGIN: ORIGIN, TENANT_REQUESTS_PER_MINUTE: '1' });
  await server.request('/v1/jobs');
  for (const path of [OUTPUT, `${OUTPUT}/z.ts`, '/v1/uploads', '/v1/uploads/x']) {
    const { status, headers } = await server.request(path);
    expect([path, status]).toEqual([path, 429]);
    expect(headers.get('access-control-allow-origin'), path).toBe(ORIGIN);
    const exposed = headers.get('access-control-expose-headers')?.split(', ');
    expect(exposed, path).toEqual(
      expect.arrayContaining([
        'ratelimit',
        'ratelimit-policy',
        'retry-after',
        'upload-offset',
        'www-authenticate',
      ]),
    );
    // What a preflight is answered does not count against the tenant: a page could not even ask.
    expect((await server.request(path, { method: 'OPTIONS' })).status).toBe(204);
  }
  const other = await server.request('/v1/jobs');
  expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([429, null]);
});

it('says nothing to pages where no origin is allowed', async () => {
  await using server = await startTestServer({ TENANT_REQUESTS_PER_MINUTE: '1' });
  for (const path of [OUTPUT, '/v1/uploads'])
    expect((await server.request(path)).headers.get('access-control-allow-origin'), path).toBeNull();
});
