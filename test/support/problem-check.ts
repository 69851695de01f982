// What every problem must be, wherever it is told: known, with a reason for people, and silent about the machine.

import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { expect } from 'vitest';
import { PROBLEMS } from '../../src/problems.ts';
import type { ProblemCode, ProblemDocument } from '../../src/problems.ts';
import type { Answer } from './client.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Expects a refusal in the client's own fault's range, as problem+json. Gives its document. */
export function expectProblem(answer: Answer, ...codes: readonly ProblemCode[]): ProblemDocument {
  const body = answer.body.toString();
  expect(answer.headers['content-type'], body).toBe('application/problem+json; charset=utf-8');
  const problem = answer.json() as ProblemDocument;
  expect(problem.status).toBe(answer.status);
  if (codes.length > 0) expect(codes, body).toContain(problem.code);
  expectCleanProblem(problem);
  return problem;
}

/** Expects a code of the table, and no path, stack or argument list. */
export function expectCleanProblem(problem: ProblemDocument, dataDir = tmpdir()): void {
  expect(PROBLEMS).toHaveProperty(problem.code);
  const { status, title } = PROBLEMS[problem.code];
  expect(problem).toMatchObject({ status, title });
  expect(problem.detail.length).toBeGreaterThan(10);
  const told = JSON.stringify(problem);
  for (const secret of [
    tmpdir(),
    dataDir,
    ROOT,
    'node_modules',
    '/proc/',
    '-nostdin',
    '-protocol_whitelist',
  ]) {
    expect(told).not.toContain(secret);
  }
  expect(told).not.toMatch(/\bat .*:\d+:\d+|\.ts:\d+|node:internal/);
}
