// The process is the fuse: an image that cannot be stopped costs its process, nobody else's request, and not twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { call } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { forksOf, HAS_PROC } from '../support/processes.ts';
import { expectProblem } from '../support/problem-check.ts';
import { startProgram } from '../support/program.ts';

const HEAVY = '/v1/images?format=webp&quality=100';

describe.skipIf(!HAS_PROC)('an image past its deadline', () => {
  it('costs its process, which is replaced at once; the same bytes are refused from then on', async () => {
    await using program = await startProgram({ IMAGE_DEADLINE_SECONDS: '0.5', LOG_LEVEL: 'debug' });
    const heavy = await imageFixture({ width: 7000, height: 5700, grain: 60, quality: 40 });
    const light = await imageFixture({ width: 64, height: 48 });
    const forks = forksOf(program.pid);
    const post = (path: string, body: Buffer): Promise<Answer> =>
      call(program.address, path, { method: 'POST', body });

    const begun = program.log.length;
    const over = new AbortController();
    const pulse = watch(program.address, over.signal);
    const ordinary = stream(() => post('/v1/images?width=8&format=jpeg', light), over.signal);

    // Its process may be gone before the answer is out; then the connection ends instead.
    const answer = await post(HEAVY, heavy).catch(() => undefined);
    if (answer !== undefined) expectProblem(answer, 'image_deadline');
    await eventually(
      'the process is replaced',
      () => {
        const now = forksOf(program.pid);
        return now.length === 2 && now.some((pid) => !forks.includes(pid));
      },
      { timeoutMs: 15_000 },
    );
    await program.waitFor(({ msg }) => msg === 'serving', { since: begun });
    over.abort();

    const beats = await pulse;
    expect(beats.failed).toEqual([]);
    expect(beats.slow / beats.all, JSON.stringify(beats)).toBeLessThan(0.05);
    const outcomes = await ordinary;
    expect(outcomes.made).toBeGreaterThan(5);
    // A light image may share the process that has to go; it gets seconds to be answered, so none is lost.
    expect(outcomes.other).toEqual([]);

    const answeredBy = new Set<number>();
    for (let i = 0; answeredBy.size < 2 && i < 40; i++) {
      const id = `again-${i}`;
      const since = program.log.length;
      const again = await call(program.address, HEAVY, {
        method: 'POST',
        body: heavy,
        headers: { 'x-request-id': id },
      });
      expectProblem(again, 'image_quarantined');
      const line = await program.waitFor(({ msg, reqId }) => msg === 'answered' && reqId === id, { since });
      answeredBy.add(line.pid);
    }
    expect(answeredBy).toEqual(new Set(forksOf(program.pid)));
    expect((await post('/v1/images?width=9', light)).status).toBe(200);
  }, 60_000);
});

/** Asks /livez again and again, on a connection each. Slow is more than 200 ms. */
async function watch(
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

/** Ordinary work, one after the other. */
async function stream(
  work: () => Promise<Answer>,
  signal: AbortSignal,
): Promise<{ made: number; other: string[] }> {
  const outcomes = { made: 0, other: [] as string[] };
  while (!signal.aborted) {
    const outcome = await work().then(
      ({ status, body }) => (status === 200 ? undefined : `${status} ${body.toString()}`),
      (error: unknown) => String(error),
    );
    if (outcome === undefined) outcomes.made++;
    else outcomes.other.push(outcome);
  }
  return outcomes;
}
