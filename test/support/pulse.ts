// What others notice while something goes wrong: a health check and ordinary work, again and again.

import { setTimeout as sleep } from 'node:timers/promises';
import { call } from './client.ts';
import type { Answer } from './client.ts';

/** Asks /livez again and again, on a connection each. Slow is more than 200 ms. */
export async function keepAsking(
  address: string,
  signal: AbortSignal,
): Promise<{ all: number; slow: number; slowestMs: number; failed: string[] }> {
  const beats = { all: 0, slow: 0, slowestMs: 0, failed: [] as string[] };
  while (!signal.aborted) {
    const begun = performance.now();
    const outcome = await call(address, '/livez', { timeoutMs: 5000 }).then(
      ({ status }) => (status === 200 ? undefined : `answered ${status}`),
      (error: unknown) => String(error),
    );
    const ms = performance.now() - begun;
    beats.all++;
    if (ms > 200) beats.slow++;
    beats.slowestMs = Math.max(beats.slowestMs, ms);
    if (outcome !== undefined) beats.failed.push(outcome);
    await sleep(20);
  }
  return beats;
}

/** Ordinary work, one after the other. The process that has to go may put work off, with 503 and Retry-After. */
export async function keepWorking(
  work: () => Promise<Answer>,
  signal: AbortSignal,
): Promise<{ made: number; putOff: number; failed: string[] }> {
  const outcomes = { made: 0, putOff: 0, failed: [] as string[] };
  while (!signal.aborted) {
    try {
      const { status, headers, body } = await work();
      if (status === 200) outcomes.made++;
      else if (status === 503 && Number(headers['retry-after']) > 0) {
        outcomes.putOff++;
        await sleep(50);
      } else outcomes.failed.push(`${status} ${body.toString()}`);
    } catch (error) {
      outcomes.failed.push(String(error));
    }
  }
  return outcomes;
}
