// The process is the fuse: an image that cannot be stopped costs its process, nobody else's request, and not twice.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { fromEveryProcess } from '../support/jobs.ts';
import { forksOf, HAS_PROC } from '../support/processes.ts';
import { expectProblem } from '../support/problem-check.ts';
import { keepAsking, keepWorking } from '../support/pulse.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';

const HEAVY = '/v1/images?format=webp&quality=100';

describe.skipIf(!HAS_PROC)('an image past its deadline', () => {
  let program: Program;
  let heavy: Buffer;
  let light: Buffer;
  let forks: number[];
  beforeAll(async () => {
    program = await startProgram({ IMAGE_DEADLINE_SECONDS: '0.5', LOG_LEVEL: 'debug' });
    heavy = await imageFixture({ width: 7000, height: 5700, grain: 60, quality: 40 });
    light = await imageFixture({ width: 64, height: 48 });
    forks = forksOf(program.pid);
  });
  afterAll(() => program?.[Symbol.asyncDispose]());
  const post = (path: string, body: Buffer): Promise<Answer> =>
    call(program.address, path, { method: 'POST', body });

  it('costs its process, which is replaced at once; nobody else loses a request', async () => {
    const begun = program.log.length;
    const over = new AbortController();
    const pulse = keepAsking(program.address, over.signal);
    const ordinary = keepWorking(() => post('/v1/images?width=8&format=jpeg', light), over.signal);

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
  });

  it('is refused from then on by the process that was there before', async () => {
    const veterans = forksOf(program.pid).filter((pid) => forks.includes(pid));
    const [answer] = (
      await fromEveryProcess(program, HEAVY, { method: 'POST', body: heavy }, veterans)
    ).values();
    expectProblem(answer!, 'image_quarantined');
  });

  // The primary does not tell a fresh process what the others refuse. Make it `it` once it does.
  it('is refused from then on by every process', async () => {
    const answers = await fromEveryProcess(program, HEAVY, { method: 'POST', body: heavy });
    for (const answer of answers.values()) expectProblem(answer, 'image_quarantined');
  });

  it('leaves a server that serves', async () => {
    await eventually('it serves', async () => (await post('/v1/images?width=9', light)).status === 200);
  });
});
