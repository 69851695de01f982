// The real program with two processes: what one learns of keys, limits and accounts holds in the other.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { call } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { fromEveryProcess } from '../support/jobs.ts';
import { limitTenant, makeKey, revokeKey } from '../support/keys.ts';
import { forksOf } from '../support/processes.ts';
import { configIn } from '../support/mode.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { readFile } from 'node:fs/promises';
import { openMeters } from '../../src/registers/open.ts';
import { accountOf } from '../../src/access/accounts.ts';

let program: Program;
let photo: Buffer;

beforeAll(async () => {
  program = await startProgram({ LOG_LEVEL: 'debug', TENANT_ACTIVE_JOBS: '100', VIDEO_SLOTS: '1' });
  photo = await imageFixture({ width: 64, height: 48 });
  // The first key.
  await makeKey(program.dataDir, { tenant: 'nobody' });
  await eventually('both processes ask for keys', async () => {
    const answers = await fromEveryProcess(program, '/v1/jobs');
    return [...answers.values()].every(({ status }) => status === 401);
  });
}, 60_000);
afterAll(() => program[Symbol.asyncDispose]());

const everywhere = async (headers: Record<string, string>): Promise<number[]> =>
  [...(await fromEveryProcess(program, '/v1/jobs', { headers })).values()].map(({ status }) => status);

it('a key holds in both at once, and in neither once it is revoked', async () => {
  const key = await makeKey(program.dataDir);
  expect(await everywhere(key.headers)).toEqual([200, 200]);
  await revokeKey(program.dataDir, key.id);
  await eventually('revoked in both', async () => (await everywhere(key.headers)).every((s) => s === 401));
  expect(await everywhere(key.headers)).toEqual([401, 401]);
});

it('a key never reaches the log', async () => {
  const key = await makeKey(program.dataDir);
  const id = crypto.randomUUID();
  const headers = { ...key.headers, 'x-request-id': id };
  await call(program.address, `/v1/jobs/${key.text}?key=${key.text}`, { headers });
  const { url } = await program.waitFor(({ reqId, msg }) => reqId === id && msg === 'answered');
  expect(url).toContain(`mm_${key.id}_[redacted]`);
  expect(JSON.stringify(program.log)).not.toContain(key.text.slice(16));
});

it('requests a minute are counted over both', async () => {
  await limitTenant(program.dataDir, 'counted', { requestsPerMinute: 120 });
  const { headers } = await makeKey(program.dataDir, { tenant: 'counted' });
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => call(program.address, '/v1/jobs', { headers })),
  );
  const through = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 429);
  expect(through.length + refused.length).toBe(60);
  // Two come back each second; ten seconds must not pass in between.
  expect(through.length).toBeGreaterThanOrEqual(20);
  expect(through.length).toBeLessThan(40);
  expect(refused[0]?.headers['retry-after']).toBe('1');
  expect(refused[0]?.headers['ratelimit-policy']).toBe('"requests";q=20;w=10');
  const pids = new Set(program.log.filter(({ status }) => status === 429).map(({ pid }) => pid));
  expect(pids).toEqual(new Set(forksOf(program.pid)));
});

const send = (headers: Record<string, string>, path: string, body: Uint8Array): Promise<Answer> =>
  call(program.address, path, { method: 'POST', headers, body });

it('bytes a day are counted over both, and bad requests cost what they sent', async () => {
  const bytes = photo.length;
  await limitTenant(program.dataDir, 'sender', { bytesPerDay: bytes * 3 });
  const { headers } = await makeKey(program.dataDir, { tenant: 'sender' });
  expect((await send(headers, '/v1/images?width=10', photo)).status).toBe(200);
  expect((await send(headers, '/v1/images?width=many', photo)).status).toBe(400);
  expect((await send(headers, '/v1/images?width=10', photo)).status).toBe(200);
  const meters = await openMeters(configIn(program.dataDir));
  const account = accountOf('bytes', 'sender', Date.now()).name;
  // What was refused may have come whole or not.
  await eventually('settled', async () => {
    const spent = await meters.spent(account);
    return spent >= 2 * bytes && spent <= 3 * bytes;
  });
  await meters.close();
  const refused = await send(headers, '/v1/images?width=10', Buffer.alloc(bytes * 3));
  expect(refused.json()).toMatchObject({ code: 'quota_exceeded', status: 429 });
  expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(86_400);
});

it('jobs that wait or run are counted over both, and minutes are charged once they have ended', async () => {
  const clip = await readFile(await clipFixture({ seconds: 2, width: 64, height: 48 }));
  await limitTenant(program.dataDir, 'filmer', { activeJobs: 2, minutesPerDay: 0.05 });
  const { headers } = await makeKey(program.dataDir, { tenant: 'filmer' });
  const post = (): Promise<Answer> => send(headers, '/v1/videos?height=32', clip);
  const answers = await Promise.all(Array.from({ length: 8 }, post));
  const taken = answers.filter(({ status }) => status === 202).map((answer) => answer.json() as JobView);
  expect(taken.length).toBeGreaterThan(0);
  expect(taken.length).toBeLessThanOrEqual(2);
  for (const answer of answers.filter(({ status }) => status !== 202))
    expect(answer.json()).toMatchObject({ code: 'quota_exceeded' });
  // Whoever may have two and got one may have another now.
  if (taken.length < 2) {
    const answer = await eventually('a place', async () => {
      const again = await post();
      return again.status === 202 ? again : undefined;
    });
    taken.push(answer.json() as JobView);
  }
  for (const { id } of taken)
    await eventually('it has ended', async () => {
      const view = (await call(program.address, `/v1/jobs/${id}?wait=10`, { headers })).json() as JobView;
      return view.status === 'succeeded';
    });
  const meters = await openMeters(configIn(program.dataDir));
  const spent = (): Promise<number> => meters.spent(accountOf('minutes', 'filmer', Date.now()).name);
  await eventually('both are charged', async () => (await spent()) > 0.06);
  expect(await spent()).toBeCloseTo(4 / 60, 2);
  await meters.close();
  const refused = await eventually('the minutes are used up', async () => {
    const answer = await post();
    return answer.status === 429 ? answer : undefined;
  });
  expect((refused.json() as { detail: string }).detail).toContain('minutes worked on a day');
  // Pictures take no minutes.
  expect((await send(headers, '/v1/images?width=10', photo)).status).toBe(200);
  const asked = { ...headers, prefer: 'respond-async' };
  expect((await send(asked, '/v1/images?width=10', photo)).status).toBe(202);
});

it('minutes are charged of streams too, and of jobs that are removed in the middle', async () => {
  const { headers } = await makeKey(program.dataDir, { tenant: 'streamer' });
  const meters = await openMeters(configIn(program.dataDir));
  const spent = (): Promise<number> => meters.spent(accountOf('minutes', 'streamer', Date.now()).name);
  const clip = await readFile(await clipFixture({ seconds: 2, width: 64, height: 48 }));
  const streamed = await send(headers, '/v1/videos?height=32&delivery=stream', clip);
  expect([streamed.status, streamed.headers['content-type']]).toEqual([200, 'video/mp4']);
  await eventually('the stream is charged', async () => (await spent()) > 0);
  const before = await spent();
  expect(before).toBeCloseTo(2 / 60, 2);

  const film = await readFile(await clipFixture({ seconds: 20, width: 640, height: 360 }));
  const accepted = await send(headers, '/v1/videos?height=352&format=webm', film);
  expect(accepted.status).toBe(202);
  const job = accepted.json() as JobView;
  const path = `/v1/jobs/${job.id}`;
  await eventually('it has begun', async () => {
    const { progress } = (await call(program.address, path, { headers })).json() as JobView;
    return progress > 0;
  });
  expect((await call(program.address, path, { method: 'DELETE', headers })).status).toBe(204);
  await eventually('the part that was done is charged', async () => (await spent()) > before);
  expect(await spent()).toBeLessThan(before + 20 / 60);
  await meters.close();
});
