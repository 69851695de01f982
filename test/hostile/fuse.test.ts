// The process is the fuse: an image that cannot be stopped costs its process, nobody else's request, and not twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { call } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { fromEveryProcess } from '../support/jobs.ts';
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
    expect(outcomes.failed).toEqual([]);
    expect(outcomes.made / (outcomes.made + outcomes.putOff), JSON.stringify(outcomes)).toBeGreaterThan(0.8);

    const again = await fromEveryProcess(program, HEAVY, { method: 'POST', body: heavy });
    for (const refusal of again.values()) expectProblem(refusal, 'image_quarantined');
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

/** Ordinary work, one after the other. The process that has to go may put work off, with 503 and Retry-After. */
async function stream(
  work: () => Promise<Answer>,
  signal: AbortSignal,
): Promise<{ made: number; putOff: number; failed: string[] }> {
  const outcomes = { made: 0, putOff: 0, failed: [] as string[] };
  while (!signal.aborted) {
    try {
      const { status, headers, body } = await work();
      if (status === 200) outcomes.made++;
      else if (status === 503 && Number(headers['retry-after']) > 0) outcomes.putOff++;
      else outcomes.failed.push(`${status} ${body.toString()}`);
    } catch (error) {
      outcomes.failed.push(String(error));
    }
  }
  return outcomes;
}
