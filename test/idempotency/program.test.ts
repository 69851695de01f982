// Idempotency-Key against the real program: over its processes, over its restart, over kill -9.

import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { call, form } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { embeddedIt } from '../support/embedded.ts';
import { eventually } from '../support/eventually.ts';
import { imageFixture } from '../support/fixtures.ts';
import { fromEveryProcess, jobIn, listJobs } from '../support/jobs.ts';
import type { JobView } from '../support/jobs.ts';
import { killNow } from '../support/processes.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';

const recipe = {
  outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 60 }], format: 'webp' } },
};

async function order(key: string): Promise<{
  method: string;
  headers: Record<string, string>;
  body: Buffer;
}> {
  const { body, headers } = form([
    { name: 'recipe', content: JSON.stringify(recipe) },
    { name: 'metadata', content: JSON.stringify({ key }) },
    { name: 'file', filename: 'a.jpg', content: await imageFixture({ width: 300, height: 200 }) },
  ]);
  return { method: 'POST', headers: { ...headers, 'idempotency-key': `"${key}"` }, body };
}

it('answers as before in every process, and after a restart', async () => {
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'mediamill-test-')));
  const settings = { DATA_DIR: dataDir, LOG_LEVEL: 'debug' };
  try {
    const asked = await order('one');
    let first: Answer;
    {
      await using program = await startProgram(settings);
      first = await call(program.address, '/v1/jobs', asked);
      expect(first.status).toBe(202);
      const answers = await fromEveryProcess(program, '/v1/jobs', asked);
      expect(answers.size).toBe(2);
      for (const answer of answers.values()) {
        expect(answer.headers['idempotency-replayed']).toBe('true');
        expect(answer.body.equals(first.body)).toBe(true);
      }
      await program.stop();
    }
    await using program = await startProgram(settings);
    const again = await call(program.address, '/v1/jobs', asked);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.body.equals(first.body)).toBe(true);
    expect(await listJobs(program.address)).toHaveLength(1);
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}, 30_000);

interface Held {
  readonly program: Program;
  /** Of the process that works on it. */
  readonly pid: number;
  readonly records: DatabaseSync;
  readonly queue: DatabaseSync;
}

/**
 * Sends a request while nobody can write to the queue, and goes on as soon as its call is sealed: what is left is the
 * commit of the job, and then of the answer.
 */
async function held(kill: (held: Held) => Promise<void>): Promise<{ answer: Answer; jobs: JobView[] }> {
  await using program = await startProgram({ LOG_LEVEL: 'debug', JOB_LEASE_SECONDS: '1' });
  using stack = new DisposableStack();
  const open = (file: string): DatabaseSync =>
    stack.use(new DatabaseSync(join(program.dataDir, file), { timeout: 5000 }));
  const [records, queue] = [open('records.sqlite'), open('mediamill.sqlite')];
  const asked = await order('key');
  const send = (over?: Agent): Promise<Answer | undefined> =>
    call(program.address, '/v1/jobs', { ...asked, ...(over && { agent: over }) }).catch(() => undefined);
  // A kept connection stays with the process that the log tells of.
  const agent = stack.adopt(new Agent({ keepAlive: true, maxSockets: 1 }), (kept) => kept.destroy());
  await call(program.address, '/livez', { agent, headers: { 'x-request-id': 'who' } });
  const { pid } = await program.waitFor(({ msg, reqId }) => msg === 'answered' && reqId === 'who');
  queue.exec('BEGIN IMMEDIATE');
  const dying = send(agent);
  const sealed = records.prepare(
    "SELECT 1 FROM records WHERE kind = 'idempotency' AND document ->> '$.seal' IS NOT NULL",
  );
  await eventually('the call is sealed', () => sealed.get());
  await kill({ program, pid, records, queue });
  expect(await dying).toBeUndefined();
  const answer = await eventually(
    'an answer',
    async () => {
      const tried = await send();
      return tried?.status === 202 ? tried : undefined;
    },
    { timeoutMs: 20_000, everyMs: 100 },
  );
  return { answer, jobs: await listJobs(program.address) };
}

embeddedIt('locks the database files')(
  'makes one job of a request whose process is killed between the commit of the job and the answer',
  async () => {
    let committed: unknown;
    const { answer, jobs } = await held(async ({ program, pid, records, queue }) => {
      records.exec('BEGIN IMMEDIATE');
      queue.exec('COMMIT');
      committed = (await program.waitFor(({ msg }) => msg === 'accepted'))['jobId'];
      killNow(pid);
      records.exec('ROLLBACK');
    });
    expect(jobIn(answer).id).toBe(committed);
    expect(answer.headers['idempotency-replayed']).toBe('true');
    expect(jobs.map(({ id }) => id)).toEqual([committed]);
  },
  40_000,
);

embeddedIt('locks the database files')(
  'makes one job of a request whose process is killed before the commit of the job',
  async () => {
    const { answer, jobs } = await held(async ({ pid, queue }) => {
      killNow(pid);
      queue.exec('ROLLBACK');
    });
    expect(answer.headers['idempotency-replayed']).toBeUndefined();
    expect(jobs.map(({ id }) => id)).toEqual([jobIn(answer).id]);
  },
  40_000,
);
