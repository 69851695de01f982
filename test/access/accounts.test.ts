import { expect, it } from 'vitest';
import { accountOf, createCharge, minutesOf } from '../../src/access/accounts.ts';
import { UNLIMITED } from '../../src/access/caller.ts';
import { createTenants, usualLimits } from '../../src/access/tenants.ts';
import { readConfig } from '../../src/config.ts';
import { newJob } from '../../src/jobs/job.ts';
import type { Job } from '../../src/jobs/job.ts';
import { newId } from '../../src/lib/id.ts';
import { openRegisters } from './records.ts';

const job = (durationSeconds: number | null, extra: Partial<Job> = {}): Job => ({
  ...newJob(
    {
      id: newId(),
      tenant: 'acme',
      lane: 'video',
      recipe: { outputs: {} },
      source: {
        key: 'sources/job',
        name: null,
        mediaType: 'video/mp4',
        bytes: 1,
        width: null,
        height: null,
        durationSeconds,
      },
    },
    0,
  ),
  status: 'succeeded',
  progress: 1,
  ...extra,
});

it('counts a day from midnight to midnight, UTC', () => {
  const late = accountOf('bytes', 'acme', Date.parse('2026-02-28T23:59:59.999Z'));
  expect(late.name).toBe('bytes:acme:2026-02-28');
  expect(new Date(late.endsAt).toISOString()).toBe('2026-03-01T00:00:00.000Z');
  expect(accountOf('bytes', 'acme', late.endsAt).name).toBe('bytes:acme:2026-03-01');
});

it('charges minutes of the longest output where that is longer than the source, as with concat', () => {
  const made = (durationSeconds: number | null) => ({
    mediaType: 'video/mp4',
    bytes: 1,
    width: null,
    height: null,
    durationSeconds,
    decisions: [],
    key: 'results/job/run/out.mp4',
  });
  expect(minutesOf(job(1, { results: { a: made(601), b: made(null), c: made(60) } }))).toBe(601 / 60);
  expect(minutesOf(job(90, { results: { short: made(3) } }))).toBe(1.5);
  // A picture of a clip, and a job that failed or was cancelled when one output was finished.
  expect(minutesOf(job(90, { results: { poster: made(null) } }))).toBe(1.5);
  expect(minutesOf(job(1, { status: 'failed', ready: { a: made(600) } }))).toBe(10);
  expect(minutesOf(job(60, { status: 'cancelled', progress: 0.5, ready: { a: made(45) } }))).toBe(0.75);
});

it('charges minutes of the source; of what was cancelled, the part that was done', async () => {
  expect(minutesOf(job(90))).toBe(1.5);
  expect(minutesOf(job(90, { status: 'failed', progress: 0.2 }))).toBe(1.5);
  expect(minutesOf(job(120, { status: 'cancelled', progress: 0.25 }))).toBe(0.5);
  expect(minutesOf(job(null))).toBe(0);
  await using registers = await openRegisters();
  const charge = createCharge(registers);
  const first = job(90);
  await charge(first);
  // Tried again after a crash.
  await charge(first);
  await charge(job(30));
  await charge(job(null));
  await charge(job(600, { tenant: 'other' }));
  // Bytes are charged as they come.
  const { source } = job(null);
  await charge(job(null, { source: { ...source, url: 'https://example.com/a.jpg', bytes: 5000 } }));
  expect(await registers.meters.spent(accountOf('bytes', 'acme', registers.now()).name)).toBe(0);
  const account = accountOf('minutes', 'acme', registers.now());
  expect(await registers.meters.spent(account.name)).toBe(2);
  registers.pass(account.endsAt - registers.now());
  await charge(job(60));
  expect(await registers.meters.spent(accountOf('minutes', 'acme', registers.now()).name)).toBe(1);
  // Yesterday's can still be read.
  expect(await registers.meters.spent(account.name)).toBe(2);
});

it('takes the limits of the settings unless a tenant has its own', async () => {
  await using registers = await openRegisters();
  const config = readConfig({ TENANT_REQUESTS_PER_MINUTE: '100', TENANT_ACTIVE_JOBS: '5' });
  const defaults = usualLimits(config);
  expect(defaults).toEqual({ ...UNLIMITED, requestsPerMinute: 100, activeJobs: 5 });
  const [here, there] = [0, 1].map(() => createTenants({ ...registers, defaults, clock: registers.now }));
  if (here === undefined || there === undefined) throw new Error('two were made');
  expect(await there.limitsOf('acme')).toEqual(defaults);
  await here.override('acme', { requestsPerMinute: null, bytesPerDay: 1000 });
  await here.override('acme', { minutesPerDay: 7 });
  registers.pass(1000);
  expect(await there.limitsOf('acme')).toEqual({
    requestsPerMinute: null,
    concurrentRequests: null,
    activeJobs: 5,
    bytesPerDay: 1000,
    minutesPerDay: 7,
  });
  expect(await there.limitsOf('other')).toEqual(defaults);
  await here.override('acme', { requestsPerMinute: undefined, bytesPerDay: undefined });
  expect(await here.overridesOf('acme')).toEqual({ minutesPerDay: 7 });
  // Nothing to look at: told by one object, so that it costs nothing.
  const free = createTenants({ ...registers, defaults: usualLimits(readConfig({})) });
  expect(await free.limitsOf('other')).toBe(UNLIMITED);
});
