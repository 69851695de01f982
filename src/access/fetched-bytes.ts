// Counts the bytes that are fetched for a job into its tenant's account, as they come.

import { Transform } from 'node:stream';
import { callbackify } from 'node:util';
import type { Meters } from '../contracts.ts';
import { accountOf, bytesADay, dayIsFull } from './accounts.ts';
import type { TenantLimits } from './caller.ts';

/**
 * What passes through it is put on the tenant's account: the first chunk at once, then each MiB, the rest at the end, also
 * where it is broken off. Past the limit it is destroyed with `quota_exceeded`.
 */
export type MeterFetched = (tenant: string) => Transform;

/** A count is a write: one for each chunk would cost more than the chunk. */
const CHARGE_EACH_BYTES = 1024 * 1024;

export function createMeterFetched({
  meters,
  limitsOf,
  now = Date.now,
}: {
  readonly meters: Pick<Meters, 'spend'>;
  readonly limitsOf: (tenant: string) => Promise<Pick<TenantLimits, 'bytesPerDay'>>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}): MeterFetched {
  async function charge(tenant: string, bytes: number): Promise<void> {
    const time = now();
    const account = accountOf('bytes', tenant, time);
    // The bytes have come, whatever may be said of them: charged first.
    const spent = await meters.spend(account.name, bytes, account.keptUntil);
    const { bytesPerDay } = await limitsOf(tenant);
    if (bytesPerDay !== null && spent > bytesPerDay)
      throw dayIsFull(account, bytesADay(tenant, bytesPerDay), time);
  }

  return (tenant) => {
    let unpaid = 0;
    let begun = false;
    let charging: Promise<void> = Promise.resolve();
    /** One after the other: whoever ends it waits for what is under way. */
    const settle = callbackify((): Promise<void> => {
      const bytes = unpaid;
      unpaid = 0;
      begun = true;
      const before = charging.catch(() => undefined);
      charging = bytes === 0 ? before : before.then(() => charge(tenant, bytes));
      return charging;
    });
    return new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        unpaid += chunk.length;
        if (begun && unpaid < CHARGE_EACH_BYTES) return done(null, chunk);
        settle((refusal) => done(refusal, chunk));
      },
      flush(done) {
        settle(done);
      },
      destroy(error, done) {
        // Whatever ended it is told; that the account is full as well is no news then.
        settle((refusal) => done(error ?? refusal));
      },
    });
  };
}
