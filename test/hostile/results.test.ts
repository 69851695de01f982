// Fetching results as browsers, players and download managers do: ranges, conditions, HEAD, safe headers.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, form } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { imageFixture } from '../support/fixtures.ts';
import { finishedJob, fromEveryProcess, jobIn } from '../support/jobs.ts';
import { HAS_PROC } from '../support/processes.ts';
import { expectProblem } from '../support/problem-check.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';

describe('a result', () => {
  let program: Program;
  let url: string;
  let whole: Answer;
  beforeAll(async () => {
    program = await startProgram({ LOG_LEVEL: 'debug' });
    const { body, headers } = form([
      { name: 'recipe', content: '{"outputs":{"big":{"type":"image","format":"png"}}}' },
      {
        name: 'file',
        filename: 'naïve "quoted"\u202egpj.exe',
        content: await imageFixture({ width: 300, height: 200 }),
      },
    ]);
    const accepted = await call(program.address, '/v1/jobs', { method: 'POST', body, headers });
    const job = await finishedJob(program.address, jobIn(accepted).id);
    expect(job.status).toBe('succeeded');
    url = job.outputs[0]!.url!;
    whole = await get();
    expect(whole.body.length).toBe(job.outputs[0]!.bytes);
  });
  afterAll(() => program?.[Symbol.asyncDispose]());
  const get = (headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
    call(program.address, url, { headers, method });

  it('is the same from HEAD as from GET, but for the bytes', async () => {
    const head = await get({}, 'HEAD');
    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    const unlike = ['date', 'x-request-id', 'connection', 'keep-alive'];
    const comparable = ({ headers }: Answer) =>
      Object.fromEntries(Object.entries(headers).filter(([name]) => !unlike.includes(name)));
    expect(comparable(head)).toEqual(comparable(whole));
  });

  it.each([
    ['bytes=0-9', 0, 9],
    ['bytes=100-', 100, -1],
    ['bytes=-50', -50, -1],
    ['bytes=10-99999999', 10, -1],
  ])('gives the range %s', async (range, from, to) => {
    const answer = await get({ range });
    const { length } = whole.body;
    const start = from < 0 ? length + from : from;
    const end = to < 0 ? length - 1 : to;
    expect(answer.status).toBe(206);
    expect(answer.headers['content-range']).toBe(`bytes ${start}-${end}/${length}`);
    expect(answer.body.equals(whole.body.subarray(start, end + 1))).toBe(true);
    expect(Number(answer.headers['content-length'])).toBe(answer.body.length);
  });

  it('is given whole for several ranges, and for units it does not know', async () => {
    for (const range of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=9-3']) {
      const answer = await get({ range });
      expect(answer.status).toBe(200);
      expect(answer.body.length).toBe(whole.body.length);
    }
  });

  it('says how long it is to those who ask beyond its end', async () => {
    const answer = await get({ range: 'bytes=99999999-' });
    expect(answer.status).toBe(416);
    expect(answer.headers['content-range']).toBe(`bytes */${whole.body.length}`);
    expectProblem(answer, 'range_not_satisfiable');
  });

  it('gives a range only of the version that If-Range names', async () => {
    const { etag = '' } = whole.headers;
    expect((await get({ range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
    expect((await get({ range: 'bytes=0-9', 'if-range': '"other"' })).status).toBe(200);
  });

  it('is not sent again to those who have it', async () => {
    const { etag = '' } = whole.headers;
    for (const held of [etag, `"x", W/${etag}`, '*']) {
      const answer = await get({ 'if-none-match': held });
      expect(answer.status).toBe(304);
      expect(answer.body.length).toBe(0);
      expect(answer.headers.etag).toBe(etag);
    }
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('cannot do anything in a browser but be shown', async () => {
    expect(whole.headers).toMatchObject({
      'content-type': 'image/png',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'") as string,
      'content-disposition': expect.stringMatching(/^inline; filename="/) as string,
    });
    const disposition = whole.headers['content-disposition'] ?? '';
    expect(disposition).not.toMatch(/[\p{Cc}\u202e]|%E2%80%AE/u);
    const download = await call(program.address, `${url}?download=true`);
    expect(download.headers['content-disposition']).toMatch(/^attachment; /);
  });

  it.skipIf(!HAS_PROC)('is the same from every process', async () => {
    for (const answer of (await fromEveryProcess(program, url)).values()) {
      expect(answer.headers.etag).toBe(whole.headers.etag);
      expect(answer.body.equals(whole.body)).toBe(true);
    }
  });

  it('is asked for by its name only', async () => {
    for (const name of ['small', '__proto__', 'constructor', 'toString', '..%2F..%2Fbig']) {
      const answer = await call(program.address, url.replace(/big$/, name));
      expect(answer.status).toBe(404);
      expectProblem(answer, 'output_not_found');
    }
  });
});
