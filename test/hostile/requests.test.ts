// Requests that are wrong in themselves: broken forms, wrong parameters, wrong addresses. Each is told what is wrong.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import type { ProblemCode, ProblemDocument } from '../../src/problems.ts';
import { call, form } from '../support/client.ts';
import type { Answer, Part } from '../support/client.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { expectProblem } from '../support/problem-check.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';

const UPLOADS = ['/v1/images?width=8', '/v1/videos', '/v1/jobs'] as const;
const RECIPE = { name: 'recipe', content: '{"outputs":{"a":{"type":"image","format":"webp"}}}' };

let program: Program;
let picture: Buffer;
let film: Buffer;
beforeAll(async () => {
  program = await startProgram();
  picture = await imageFixture({ width: 64, height: 48 });
  film = await readFile(await clipFixture({ seconds: 1, width: 160, height: 120 }));
});
afterAll(() => program?.[Symbol.asyncDispose]());

const post = (
  path: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<Answer> => call(program.address, path, { method: 'POST', body, headers });
const postForm = (path: string, parts: readonly Part[], options = {}): Promise<Answer> => {
  const { body, headers } = form(parts, options);
  return post(path, body, headers);
};

const pictureFile = (): Part => ({ name: 'file', filename: 'a.jpg', content: picture });

describe.each(UPLOADS)('a form sent to %s', (path) => {
  const fields = path === '/v1/jobs' ? [RECIPE] : [];
  const file = (): Part => ({ name: 'file', filename: 'a', content: path === '/v1/videos' ? film : picture });
  const cases: readonly [string, ProblemCode, () => Promise<Answer>][] = [
    [
      'without its last boundary',
      'malformed_multipart',
      () => postForm(path, [...fields, file()], { end: false }),
    ],
    ['without a file', 'file_missing', () => postForm(path, fields)],
    ['with two files', 'invalid_request', () => postForm(path, [...fields, file(), file()])],
    [
      'with an unknown field',
      'invalid_request',
      () => postForm(path, [...fields, { name: 'shell', content: 'x' }, file()]),
    ],
    [
      'with a field __proto__',
      'malformed_multipart',
      () => postForm(path, [{ name: '__proto__', content: '{}' }, ...fields, file()]),
    ],
    [
      'with a field constructor',
      'malformed_multipart',
      () => postForm(path, [...fields, file(), { name: 'constructor', content: '{}' }]),
    ],
    [
      'with its file in another part',
      'invalid_request',
      () => postForm(path, [...fields, { ...file(), name: 'upload' }]),
    ],
    [
      'with 30 fields',
      'invalid_request',
      () =>
        postForm(path, [...Array.from({ length: 30 }, (_, i) => ({ name: `f${i}`, content: 'x' })), file()]),
    ],
    [
      'with no boundary in its header',
      'malformed_multipart',
      () => post(path, 'x', { 'content-type': 'multipart/form-data' }),
    ],
    [
      'with nothing in it',
      'malformed_multipart',
      () => post(path, 'rubbish', { 'content-type': 'multipart/form-data; boundary=b' }),
    ],
  ];
  it.each(cases)('%s is refused as %s', async (_how, code, send) => {
    const answer = await send();
    expect(answer.status).toBe(400);
    expectProblem(answer, code);
  });

  it('compressed is refused', async () => {
    const answer = await post(path, gzipSync(picture), { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(415);
    expectProblem(answer, 'content_encoding_unsupported');
  });
});

describe('a parameter', () => {
  it.each([
    ['/v1/images?width=0', 'width'],
    ['/v1/images?width=abc', 'width'],
    ['/v1/images?width=99999999', 'width'],
    ['/v1/images?format=exe', 'format'],
    ['/v1/images?quality=101&width=8', 'quality'],
    ['/v1/images?widht=8', 'widht'],
    ['/v1/videos?height=1e9', 'height'],
    ['/v1/videos?format=../../x', 'format'],
    ['/v1/videos?filter=scale%3D1', 'filter'],
    ['/v1/jobs?priority=1e9', 'priority'],
  ])('of %s that is wrong is named', async (path, field) => {
    const answer = await post(path, picture);
    expect(answer.status).toBe(400);
    const problem = expectProblem(answer, 'invalid_request');
    expect(JSON.stringify(problem.errors ?? problem.detail)).toContain(field);
  });

  it.each([
    ['outputs.a.steps.0.width', { outputs: { a: { type: 'image', steps: [{ op: 'resize', width: -1 }] } } }],
    ['outputs.a.format', { outputs: { a: { type: 'image', format: 'exe' } } }],
    ['outputs', { outputs: {} }],
    ['outputs', { outputs: { '../../up': { type: 'image' } } }],
    ['outputs.a.type', { outputs: { a: { type: 'shell' } } }],
  ])('of a recipe that is wrong is named: %s', async (field, recipe) => {
    const problem = expectProblem(
      await postForm('/v1/jobs', [{ name: 'recipe', content: JSON.stringify(recipe) }, pictureFile()]),
      'recipe_invalid',
    );
    expect(problem.errors?.map((error) => error.field).join(' ')).toContain(field);
  });

  it.each([
    ['{"outputs":', 'malformed_json'],
    ['{"outputs":{"__proto__":{"type":"image"}}}', 'recipe_invalid'],
    ['{"outputs":{"a":{"type":"image"},"b":{"type":"transcode"}}}', 'recipe_invalid'],
    ['[]', 'recipe_invalid'],
  ] as const)('recipe %s is refused as %s', async (content, code) => {
    expectProblem(await postForm('/v1/jobs', [{ name: 'recipe', content }, pictureFile()]), code);
  });
});

describe('an address', () => {
  it.each([
    ['/nothing', 404, 'route_not_found'],
    ['/v1/jobs/none', 404, 'job_not_found'],
    ['/v1/jobs/..%2F..%2Fetc%2Fpasswd', 404, 'job_not_found'],
    [`/v1/jobs/${'0'.repeat(36)}`, 404, 'job_not_found'],
    [`/v1/jobs/${'0'.repeat(36)}/outputs/video`, 404, 'job_not_found'],
    [`/v1/jobs/${'a'.repeat(300)}`, 414, 'uri_too_long'],
    ['/v1/jobs?limit=0', 400, 'invalid_request'],
    ['/v1/jobs?after=%00', 400, 'invalid_request'],
    ['/v1/jobs/%zz', 400, 'invalid_request'],
  ] as const)('%s is answered %i %s', async (path, status, code) => {
    const answer = await call(program.address, path);
    expect(answer.status).toBe(status);
    expectProblem(answer, code);
  });

  it.each([
    ['GET', '/v1/videos', 'POST'],
    ['DELETE', '/v1/images', 'POST'],
    ['PUT', '/v1/jobs', 'GET, HEAD, POST'],
    ['POST', '/livez', 'GET, HEAD'],
  ])('does not take %s %s, and says what it takes', async (method, path, allow) => {
    const answer = await call(program.address, path, { method });
    expect(answer.status).toBe(405);
    expectProblem(answer, 'method_not_allowed');
    expect(answer.headers.allow).toBe(allow);
  });
});

describe('bytes that are no proper request', () => {
  it.each([
    ['no HTTP', 'HELO there\r\n\r\n', 400, 'invalid_request'],
    [
      'two lengths',
      'POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde',
      400,
      'invalid_request',
    ],
    [
      'a length and chunks',
      'POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'invalid_request',
    ],
    [
      'a chunk of no size',
      'POST /v1/images HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
      undefined,
    ],
    [
      'headers of 40 KiB',
      `GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(40_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
  ] as const)('%s', async (_what, bytes, status, code) => {
    const { port, hostname } = new URL(program.address);
    const socket = connect({ port: Number(port), host: hostname });
    socket.on('error', () => undefined); // a reset after the answer
    socket.end(bytes);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as ProblemDocument;
    if (code !== undefined) expect(problem.code).toBe(code);
  });
});

it('none of it was our mistake', () => {
  expect(program.log.filter(({ level }) => level >= 40)).toEqual([]);
});
