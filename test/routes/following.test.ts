// Following a job over HTTP: outputs as each is finished, long polls, and the trace it belongs to.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/jobs/job-view.ts';
import { parseTraceParent } from '../../src/lib/trace-context.ts';
import { script } from '../engines/video-fixtures.ts';
import { readEvents } from '../support/events.ts';
import { clipFixture, FFMPEG } from '../support/fixtures.ts';
import { form, problemOf, startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { blobsOf } from '../support/stored.ts';

let folder: string;
let server: TestServer;
let clip: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-following-'));
  // An encode waits for the word of the test: to go on, or to fail.
  const held = await script(
    join(folder, 'ffmpeg'),
    `case "$*" in *-progress*) while [ ! -e "${folder}/word" ]; do sleep 0.02; done; . "${folder}/word";; esac\nexec ${FFMPEG} "$@"`,
  );
  server = await startTestServer({ FFMPEG_PATH: held, JOB_ATTEMPTS: '1' }, { dataDir: join(folder, 'data') });
  clip = new Uint8Array(await readFile(await clipFixture({ seconds: 1, width: 320, height: 180 })));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function submit(headers: Record<string, string> = {}): Promise<JobView> {
  const recipe = { outputs: { video: { type: 'transcode', encode: 'always' }, facts: { type: 'probe' } } };
  const response = await server.request('/v1/jobs', {
    method: 'POST',
    headers,
    body: form(clip, { recipe: JSON.stringify(recipe) }),
  });
  expect(response.status).toBe(202);
  return (await response.json()) as JobView;
}

const look = async (id: string): Promise<JobView> =>
  (await (await server.request(`/v1/jobs/${id}`)).json()) as JobView;
const fetchOutput = (id: string, name: string): Promise<Response> =>
  server.request(`/v1/jobs/${id}/outputs/${name}`);
const say = (word: string): Promise<void> => writeFile(join(folder, 'word'), word);

describe('an output that is finished before the others', () => {
  it('is told and can be fetched at once, and stays what it is', async () => {
    await rm(join(folder, 'word'), { force: true });
    const { id, links } = await submit();
    expect(links).toMatchObject({
      events: `/v1/jobs/${id}/events`,
      deliveries: `/v1/jobs/${id}/deliveries`,
    });
    using stream = await readEvents(server.url, links.events);
    const told = await stream.waitFor(({ type }) => type === 'output');
    expect(told.data).toMatchObject({ output: 'facts', job: { status: 'running' } });
    const job = await look(id);
    expect(job).toMatchObject({
      status: 'running',
      outputs: [
        { name: 'video', status: 'running', url: null, bytes: null },
        {
          name: 'facts',
          status: 'succeeded',
          url: `/v1/jobs/${id}/outputs/facts`,
          mediaType: 'application/json',
          bytes: expect.any(Number),
        },
      ],
    });
    const early = await fetchOutput(id, 'facts');
    expect([early.status, early.headers.get('cache-control')]).toEqual([200, 'no-cache']);
    const facts = await early.text();
    expect(JSON.parse(facts)).toMatchObject({ container: 'MP4' });
    expect((await problemOf(await fetchOutput(id, 'video'))).code).toBe('output_not_ready');

    await say('');
    expect(await stream.ended).toBe(true);
    const seen = stream.events.map(({ type, data }) => `${type} ${data.output ?? ''}`.trim());
    expect(seen.filter((each) => each !== 'progress').slice(-3)).toEqual([
      'output facts',
      'output video',
      'succeeded',
    ]);
    const late = await fetchOutput(id, 'facts');
    expect(late.headers.get('cache-control')).toContain('immutable');
    expect(await late.text()).toBe(facts);
    expect((await look(id)).outputs.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
  });

  it('is gone if the attempt fails', async () => {
    await rm(join(folder, 'word'), { force: true });
    const { id, links } = await submit();
    using stream = await readEvents(server.url, links.events);
    await stream.waitFor(({ type }) => type === 'output');
    await say('exit 1');
    expect(await stream.ended).toBe(true);
    expect(stream.events.at(-1)?.type).toBe('failed');
    expect(await look(id)).toMatchObject({
      status: 'failed',
      outputs: [
        { name: 'video', status: 'failed', url: null },
        { name: 'facts', status: 'failed', url: null, bytes: null },
      ],
    });
    expect((await problemOf(await fetchOutput(id, 'facts'))).code).toBe('output_not_found');
    const results = await blobsOf(join(folder, 'data'), `results/${id}/`);
    expect(results.filter((name) => name.includes('facts'))).toEqual([]);
  });
});

describe('a long poll', () => {
  it.each([
    ['wait=0', 'wait=0'],
    ['respond-async, wait="0"', 'wait=0'],
    ['WAIT=0; x=y', 'wait=0'],
    ['wait=-1', null],
    ['wait=soon', null],
    ['handling=lenient', null],
  ])('that prefers %j is told %j', async (prefer, applied) => {
    await rm(join(folder, 'word'), { force: true });
    const { id } = await submit();
    const response = await server.request(`/v1/jobs/${id}`, { headers: { prefer } });
    expect([response.status, response.headers.get('preference-applied')]).toEqual([200, applied]);
    await server.request(`/v1/jobs/${id}`, { method: 'DELETE' });
  });

  it('is told how long it may wait at most, and what goes before', async () => {
    await say('');
    const { id } = await submit();
    const prefer = { headers: { prefer: 'wait=3600' } };
    const whole = await server.request(`/v1/jobs/${id}`, prefer);
    expect(whole.headers.get('preference-applied')).toBe('wait=60');
    expect(await whole.json()).toMatchObject({ status: 'succeeded' });
    const both = await server.request(`/v1/jobs/${id}?wait=5`, prefer);
    expect([both.status, both.headers.get('preference-applied')]).toEqual([200, null]);
  });
});

describe('a job', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

  it('belongs to the trace of the request that made it, or begins one', async () => {
    await say('');
    const within = await submit({ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` });
    expect(parseTraceParent(within.trace)).toMatchObject({ traceId: TRACE, sampled: true });
    expect(within.trace).not.toContain('00f067aa0ba902b7');
    const alone = await submit({ traceparent: 'nonsense' });
    expect(parseTraceParent(alone.trace)).toMatchObject({ sampled: false });
    for (const { id, trace } of [within, alone])
      expect(await server.finished({ id })).toMatchObject({ status: 'succeeded', trace });
  });
});
