// Events of the whole program: two processes, streams from each, killed, reloaded and stopped ones.

import { Agent } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { call } from './support/client.ts';
import { readEvents } from './support/events.ts';
import type { EventReader, Told } from './support/events.ts';
import { imageFixture } from './support/fixtures.ts';
import { jobIn } from './support/jobs.ts';
import { forksOf, HAS_PROC, killNow } from './support/processes.ts';
import { startProgram } from './support/program.ts';
import type { Program } from './support/program.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

let program: Program;
let picture: Buffer;
const agents: Agent[] = [];
beforeAll(async () => {
  picture = await imageFixture({ width: 640, height: 480 });
  program = await startProgram({ PROCESSES: '2', LOG_LEVEL: 'debug' });
});
afterEach(() => {
  for (const agent of agents.splice(0)) agent.destroy();
});
afterAll(() => program?.[Symbol.asyncDispose]());

/** Opens a stream at every process, by its pid. A kept connection stays with one; which one it is, the log says. */
async function fromEachProcess(path: string): Promise<Map<number, EventReader>> {
  const streams = new Map<number, EventReader>();
  const pids = forksOf(program.pid);
  while (streams.size < pids.length) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const since = program.log.length;
    const id = `who-${crypto.randomUUID()}`;
    await call(program.address, '/livez', { agent, headers: { 'x-request-id': id } });
    const { pid } = await program.waitFor(({ msg, reqId }) => msg === 'answered' && reqId === id, { since });
    if (!streams.has(pid)) streams.set(pid, await readEvents(program.address, path, { agent }));
  }
  return streams;
}

async function makeJob(): Promise<string> {
  const answer = await call(program.address, '/v1/images?width=100&format=webp', {
    method: 'POST',
    body: picture,
    headers: { prefer: 'respond-async', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
  });
  expect(answer.status, answer.body.toString()).toBe(202);
  return jobIn(answer).id;
}

/** A connection may still have been given to the process that was killed. */
async function again<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    }
  }
}

const isEndOf = (id: string) => (event: Told) => event.type === 'succeeded' && event.data.jobId === id;
/** Without progress, of which a stream leaves out what nobody would see any more. */
const steps = (events: readonly Told[]): unknown[] =>
  events.filter(({ type }) => type !== 'progress').map(({ id, type, data }) => [id, type, data.jobId]);
/** All that has happened, as it is told afterwards, up to the end of a job. */
async function replay(after: number, last: string): Promise<readonly Told[]> {
  using stream = await readEvents(program.address, `/v1/events?lastEventId=${after}`);
  await stream.waitFor(isEndOf(last));
  return stream.events;
}

describe.skipIf(!HAS_PROC)('events', () => {
  it('are the same from every process, in one order, whoever runs the jobs', async () => {
    const streams = await fromEachProcess('/v1/events');
    // Each job is run by one of them, so the other tells what it did not do itself.
    const [one, two] = [...streams.values()] as [EventReader, EventReader];
    const ids = await Promise.all(Array.from({ length: 12 }, makeJob));
    for (const id of ids) await Promise.all([one.waitFor(isEndOf(id)), two.waitFor(isEndOf(id))]);
    expect(steps(one.events)).toEqual(steps(two.events));
    for (const id of ids) {
      const own = one.events.filter(({ data, type }) => data.jobId === id && type !== 'progress');
      expect(own.map(({ type }) => type)).toEqual(['queued', 'started', 'output', 'succeeded']);
    }
    for (const stream of streams.values()) stream[Symbol.dispose]();
  });

  it('name the trace of a job in every line about it', async () => {
    const since = program.log.length;
    const id = await makeJob();
    for (const msg of ['accepted', 'job begun', 'job ended']) {
      const line = await program.waitFor((each) => each.msg === msg && each['jobId'] === id, { since });
      expect(line).toMatchObject({ traceId: TRACE, level: 30 });
    }
  });

  it('go on at another process when one is killed, nothing lost and nothing twice', async () => {
    const begin = await fromEachProcess('/v1/events');
    const [[victim, doomed], [, other]] = [...begin] as [[number, EventReader], [number, EventReader]];
    const ids: string[] = [];
    for (let number = 0; number < 4; number++) ids.push(await makeJob());
    // In the middle of a job's events.
    await doomed.waitFor(({ type, data }) => type === 'started' && data.jobId === ids[1]);
    killNow(victim);
    expect(await doomed.ended).toBe(false);
    const known = doomed.lastId() ?? 0;
    using resumed = await again(() =>
      readEvents(program.address, '/v1/events', { headers: { 'last-event-id': `${known}` } }),
    );
    const last = await again(makeJob);
    for (const stream of [resumed, other]) await stream.waitFor(isEndOf(last));
    const joined = [...doomed.events, ...resumed.events];
    expect(steps(joined)).toEqual(steps(other.events));
    const sequence = joined.map(({ id }) => id ?? 0);
    expect(sequence).toEqual([...new Set(sequence)].toSorted((a, b) => a - b));
    expect(joined.map(({ type }) => type)).not.toContain('reset');
    expect(steps(await replay((sequence[0] ?? 1) - 1, last))).toEqual(steps(joined));
    other[Symbol.dispose]();
  });

  it('end their streams in a reload, which waits for none of them', async () => {
    const streams = [...(await fromEachProcess('/v1/events')).values()];
    const id = await makeJob();
    for (const stream of streams) await stream.waitFor(isEndOf(id));
    const since = program.log.length;
    program.kill('SIGHUP');
    for (const stream of streams) expect(await stream.ended).toBe(true);
    await program.waitFor(({ msg }) => msg === 'reloaded', { since });
    // One that had to be cut off would have taken until its deadline.
    expect(program.log.slice(since).filter(({ level }) => level >= 40)).toEqual([]);
    const [known] = streams.map((stream) => stream.lastId());
    using resumed = await readEvents(program.address, '/v1/events', {
      headers: { 'last-event-id': `${known}` },
    });
    const next = await makeJob();
    await resumed.waitFor(isEndOf(next));
    expect(resumed.events[0]).toMatchObject({ type: 'queued', data: { jobId: next } });
  });

  // The last one: nothing runs after it.
  it('end their streams when the program stops', async () => {
    const streams = [...(await fromEachProcess('/v1/events')).values()];
    const exit = program.stop();
    for (const stream of streams) expect(await stream.ended).toBe(true);
    expect((await exit).code).toBe(0);
  });
});
