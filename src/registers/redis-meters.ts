// Meters in Redis, for all processes of all machines of a fleet: every call is one script, and one way there and back.

import type { Meters } from '../contracts.ts';
import { METER_SCRIPTS } from './redis-meters-scripts.ts';
import { openRegister } from './redis-register.ts';
import type { RedisRegisterOptions } from './redis-register.ts';

/** Of a token: what is lost in the rounding of fractions. */
const ROUNDING = 1e-6;

/** Opens the meters. Rejects with an Error for people where Redis cannot be reached or used. */
export async function openRedisMeters(options: RedisRegisterOptions): Promise<Meters> {
  const { run, now, close } = await openRegister('meters', METER_SCRIPTS, options);
  return {
    async take(bucket, { perMinute, burst }, cost = 1) {
      if (!(cost > 0 && cost <= burst)) throw new RangeError(`a bucket of ${burst} never gives ${cost}`);
      const [took, left] = await run<[number, string]>('take', bucket, perMinute, burst, cost, now());
      const [allowed, missing] = [took === 1, Number(left)];
      const tokenMs = 60_000 / perMinute;
      return {
        allowed,
        remaining: Math.max(0, Math.floor(burst - missing + ROUNDING)),
        resetMs: missing * tokenMs,
        retryMs: allowed ? 0 : (missing + cost - burst) * tokenMs,
      };
    },

    enter: async (gate, most, holder, leaseMs) =>
      (await run<number>('enter', gate, most, holder, leaseMs, now())) === 1,

    async renew(gate, holder, leaseMs) {
      await run('renew', gate, holder, leaseMs, now());
    },

    async leave(gate, holder) {
      await run('leave', gate, holder);
    },

    spend: async (account, amount, until, once) =>
      Number(await run<string>('spend', account, amount, until, now(), once?.name ?? '', once?.until ?? '')),

    spent: async (account) => Number(await run<string>('spent', account, now())),

    reserve: async (account, amount, most, holder, leaseMs) =>
      (await run<number>('reserve', account, amount, most, holder, leaseMs, now())) === 1,

    settle: async (account, amount, until, { holder, left, leaseMs }) =>
      Number(await run<string>('settle', account, amount, until, holder, left, leaseMs, now())),

    close,
  };
}
