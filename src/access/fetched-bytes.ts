// Counts the bytes that are fetched for a job into its tenant's account, as they come.

import { Transform } from 'node:stream';
import { callbackify } from 'node:util';
import type { Meters } from '../contracts.ts';
import { isAway } from '../problems.ts';
import { accountOf, bytesADay, dayIsFull } from './accounts.ts';
import type { TenantLimits } from './caller.ts';

/**
 * What passes through it is put on the tenant's account: the first chunk at once, then each MiB, the rest at the end, also
 * where it is broken off. Past the limit it is destroyed with `quota_exceeded`. What cannot be counted at the moment is
 * counted with what comes next; at the end it is let go.
 */
export type MeterFetched = (tenant: string) => Transform;

/** A count is a write: one for each chunk would cost more than the chunk. */
const CHARGE_EACH_BYTES = 1024 * 1024;

export function createMeterFetched({
  meters,
  limitsOf,
  now,
}: {
  readonly meters: Pick<Meters, 'spend'>;
  readonly limitsOf: (tenant: string) => Promise<Pick<TenantLimits, 'bytesPerDay'>>;
  /** Milliseconds since 1970, the same for all machines: days change at once. */
  readonly now: () => number;
}): MeterFetched {
  /** Whether they are on the account. */
  async function charge(tenant: string, bytes: number): Promise<boolean> {
    const time = now();
    const account = accountOf('bytes', tenant, time);
    // The bytes have come, whatever may be said of them: charged first.
    const spent = await unlessAway(meters.spend(account.name, bytes, account.keptUntil));
    if (spent === undefined) return false;
    const limits = await unlessAway(limitsOf(tenant));
    const most = limits?.bytesPerDay ?? null;
    if (most !== null && spent > most) throw dayIsFull(account, bytesADay(tenant, most), time);
    return true;
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
      charging = before.then(async () => {
        if (bytes > 0 && !(await charge(tenant, bytes))) unpaid += bytes;
      });
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

/** Undefined where who counts cannot be reached. A download that has taken an hour is not lost over that. */
async function unlessAway<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isAway(error)) return undefined;
    throw error;
  }
}
