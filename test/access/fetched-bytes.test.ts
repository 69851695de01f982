import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect, it } from 'vitest';
import { accountOf } from '../../src/access/accounts.ts';
import { createMeterFetched } from '../../src/access/fetched-bytes.ts';
import { Problem } from '../../src/problems.ts';
import { openRegisters } from './records.ts';
import type { Registers } from './records.ts';

const KIB = 1024;
const limited = (registers: Registers, bytesPerDay: number | null) =>
  createMeterFetched({ ...registers, limitsOf: async () => ({ bytesPerDay }) });
const spent = ({ meters, now }: Registers, tenant = 'acme'): Promise<number> =>
  meters.spent(accountOf('bytes', tenant, now()).name);

it('charges what passes, to the tenant it is for', async () => {
  await using registers = await openRegisters();
  const meterFetched = limited(registers, null);
  for (const [tenant, chunks] of [
    ['acme', 40],
    ['other', 1],
  ] as const) {
    const body = Readable.from(Array.from({ length: chunks }, () => Buffer.alloc(64 * KIB)));
    const through = meterFetched(tenant);
    const [bytes] = await Promise.all([buffer(through), pipeline(body, through)]);
    expect(bytes.length).toBe(chunks * 64 * KIB);
    expect(await spent(registers, tenant)).toBe(chunks * 64 * KIB);
  }
});

it('breaks off a body that goes on past the limit, soon after it', async () => {
  await using registers = await openRegisters();
  const most = 3000 * KIB;
  let told = 0;
  const endless = Readable.from(
    (async function* () {
      for (;;) {
        told += 64 * KIB;
        yield Buffer.alloc(64 * KIB);
      }
    })(),
  );
  const through = limited(registers, most)('acme');
  through.resume();
  await expect(pipeline(endless, through)).rejects.toMatchObject({
    code: 'quota_exceeded',
    retryAfter: 12 * 3600 - 1,
  });
  expect(await spent(registers)).toBeGreaterThan(most);
  expect(told).toBeLessThan(most + 2048 * KIB);
  // The next one ends with its first bytes.
  const next = limited(registers, most)('acme');
  next.resume();
  const few = pipeline(Readable.from([Buffer.alloc(1), Buffer.alloc(1)]), next);
  await expect(few).rejects.toMatchObject({ code: 'quota_exceeded' });
});

it('charges what came of a body that was broken off', async () => {
  await using registers = await openRegisters();
  const through = limited(registers, null)('acme');
  const passed = Promise.withResolvers<void>();
  let seen = 0;
  through.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen === 5 * KIB) passed.resolve();
  });
  const broken = Readable.from(
    (async function* () {
      for (let chunks = 0; chunks < 5; chunks++) yield Buffer.alloc(KIB);
      await passed.promise;
      throw new Error('reset');
    })(),
  );
  await expect(pipeline(broken, through)).rejects.toThrow('reset');
  await new Promise((resolve) => (through.closed ? resolve(undefined) : through.once('close', resolve)));
  expect(await spent(registers)).toBe(5 * KIB);
});

it('goes on where nobody can count, and counts it with what comes later', async () => {
  await using registers = await openRegisters();
  const away = new Problem('backend_unavailable', 'away');
  let isAway = true;
  const through = createMeterFetched({
    now: registers.now,
    meters: {
      spend: (...what) => (isAway ? Promise.reject(away) : registers.meters.spend(...what)),
    },
    limitsOf: () => Promise.reject(away),
  })('acme');
  const body = Readable.from(
    (async function* () {
      for (let chunks = 0; chunks < 40; chunks++) {
        isAway = chunks < 20;
        yield Buffer.alloc(64 * KIB);
      }
    })(),
  );
  const [bytes] = await Promise.all([buffer(through), pipeline(body, through)]);
  expect(bytes.length).toBe(40 * 64 * KIB);
  expect(await spent(registers)).toBe(40 * 64 * KIB);
});

it('ends a download whose count fails for another reason', async () => {
  await using registers = await openRegisters();
  const broken = createMeterFetched({
    now: registers.now,
    meters: { spend: () => Promise.reject(new Error('a fault')) },
    limitsOf: async () => ({ bytesPerDay: null }),
  })('acme');
  broken.resume();
  await expect(pipeline(Readable.from([Buffer.alloc(1)]), broken)).rejects.toThrow('a fault');
});
