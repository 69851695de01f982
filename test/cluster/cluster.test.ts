// The primary and its processes as they are: forked, killed, reloaded, drained.

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { startProgram } from './program.ts';
import type { Answer, Line, Program } from './program.ts';

interface Who {
  readonly pid: number;
  readonly owner: string;
  readonly presets: string;
  readonly pool: string;
}
const who = ({ text }: Answer): Who => JSON.parse(text) as Who;
const isGone = (pid: number): boolean => {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
};
const gone = (pid: number) => vi.waitUntil(() => isGone(pid), { timeout: 20_000, interval: 20 });
/** The processes that have come up, oldest first. */
const ups = ({ lines }: Program): Line[] => lines.filter(({ msg }) => msg === 'up');

test('all processes share one free port, and the line says where', async () => {
  await using program = await startProgram();
  expect(program.address).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
  expect(await program.line('serving')).toMatchObject({ processes: 2, imageThreads: 1, pid: program.pid });
  const answers = await Promise.all(Array.from({ length: 20 }, () => program.get('/')));
  const seen = new Map(answers.map(who).map((one) => [one.pid, one]));
  expect(new Set(seen.keys())).toEqual(new Set(ups(program).map(({ pid }) => pid)));
  expect(new Set([...seen.values()].map(({ owner }) => owner)).size).toBe(2);
  expect([...seen.values()].map(({ pool }) => pool)).toEqual(['5', '5']);
});

test('a hint reaches every process once', async () => {
  await using program = await startProgram({ PROCESSES: '3' });
  await program.get('/publish');
  const hint = { topic: 'job', id: 'one' };
  for (const { pid } of ups(program)) {
    await program.line((line) => line.msg === 'hint' && line.pid === pid);
  }
  // A second one comes after all of the first.
  await program.get('/publish');
  await vi.waitUntil(() => program.lines.filter(({ msg }) => msg === 'hint').length >= 6);
  const hints = program.lines.filter(({ msg }) => msg === 'hint');
  expect(hints).toHaveLength(6);
  for (const line of hints) expect(line['hint']).toEqual(hint);
});

test('a killed process is forked again, and the others hear whose jobs are abandoned', async () => {
  await using program = await startProgram();
  const [victim] = ups(program);
  process.kill(victim?.pid ?? Number.NaN, 'SIGKILL');
  const told = await program.line(({ msg }) => msg === 'hint');
  expect(told['hint']).toEqual({ topic: 'abandoned', owner: victim?.['owner'] });
  expect(told.pid).not.toBe(victim?.pid);
  expect(await program.line('process died')).toMatchObject({ process: victim?.pid, signal: 'SIGKILL' });
  await vi.waitUntil(() => program.lines.filter(({ msg }) => msg === 'serving').length === 2, 20_000);
  expect(ups(program)).toHaveLength(3);
  expect(new Set(ups(program).map((line) => line['owner'])).size).toBe(3);
});

test('an uncaught error costs one process, and is logged', async () => {
  await using program = await startProgram();
  await expect(program.get('/crash')).rejects.toMatchObject({ code: 'ECONNRESET' });
  const fatal = await program.line(({ level }) => level === 60);
  expect(fatal['err']).toMatchObject({ message: 'crash' });
  await program.line((line) => line.msg === 'process died' && line['process'] === fatal.pid);
  expect((await program.get('/')).status).toBe(200);
});

test('a connection that a dying process was to get is closed and not forgotten', async () => {
  await using program = await startProgram();
  const stopped = ups(program)[0]?.pid ?? Number.NaN;
  process.kill(stopped, 'SIGSTOP');
  let answered = 0;
  const requests = Array.from({ length: 10 }, () => program.get('/').then(() => answered++));
  const all = Promise.allSettled(requests);
  // Connections are dealt in turn, and no second one to a process that has not taken its first.
  await vi.waitUntil(() => answered === 9);
  process.kill(stopped, 'SIGKILL');
  const lost = (await all).filter(({ status }) => status === 'rejected');
  expect(lost).toMatchObject([{ reason: { code: 'ECONNRESET' } }]);
});

test('processes leave when the primary is killed, even with a call that cannot be stopped', async () => {
  await using program = await startProgram();
  await program.get('/stuck');
  program.signal('SIGKILL');
  // The stuck call would go on for minutes.
  await program.closed;
  await expect(program.get('/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

describe('reload', () => {
  test('SIGHUP replaces every process and loses no request', async () => {
    await using program = await startProgram();
    const before = ups(program).map(({ pid }) => pid);
    const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const answered: number[] = [];
    const over = new AbortController();
    const client = async (agent?: Agent): Promise<void> => {
      while (!over.signal.aborted) {
        const answer = await program.get('/', { method: 'POST', ...(agent === undefined ? {} : { agent }) });
        expect(answer.status).toBe(200);
        answered.push(who(answer).pid);
      }
    };
    const clients = [...agents, undefined, undefined].map((agent) => client(agent));
    try {
      await vi.waitUntil(() => answered.length > 100, { timeout: 20_000 });
      program.signal('SIGHUP');
      await Promise.race([program.line('reloaded'), ...clients]);
      const then = answered.length;
      await vi.waitUntil(() => answered.length > then + 100, { timeout: 20_000 });
    } finally {
      over.abort();
    }
    await Promise.all(clients);
    for (const agent of agents) agent.destroy();
    const after = ups(program)
      .slice(2)
      .map(({ pid }) => pid);
    expect(after).toHaveLength(2);
    expect(after).toContain(answered.at(-1));
    for (const pid of before) expect(isGone(pid)).toBe(true);
  });

  test('a bad file keeps the old processes; a mended one is taken', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mediamill-cluster-'));
    const file = join(folder, 'presets');
    try {
      await writeFile(file, 'one');
      await using program = await startProgram({ PRESETS_FILE: file });
      await writeFile(file, 'bad');
      program.signal('SIGHUP');
      const error = await program.line(({ msg }) => msg.startsWith('reload given up'));
      expect(error.level).toBe(50);
      const old = ups(program).map(({ pid }) => pid);
      expect(old).toHaveLength(2);
      const still = who(await program.get('/'));
      expect(still.presets).toBe('one');
      expect(old).toContain(still.pid);

      await writeFile(file, 'two');
      program.signal('SIGHUP');
      await program.line('reloaded');
      expect(who(await program.get('/')).presets).toBe('two');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('stop', () => {
  test('SIGTERM lets a request in flight end, takes no new one, and exits with 0', async () => {
    await using program = await startProgram();
    const held = program.get('/held');
    await program.line('held');
    program.signal('SIGTERM');
    expect(await held).toEqual({ status: 200, text: 'answered in the drain' });
    expect(await program.ended).toBe(0);
    await expect(program.get('/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a request that never ends is cut after SHUTDOWN_SECONDS', async () => {
    await using program = await startProgram({ SHUTDOWN_SECONDS: '1' });
    const cut = expect(program.get('/never')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await program.line('held');
    program.signal('SIGINT');
    await cut;
    expect(await program.ended).toBe(0);
  });

  test('a process with a call that cannot be stopped is killed', async () => {
    await using program = await startProgram({ SHUTDOWN_SECONDS: '1' });
    await program.get('/stuck');
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(program.lines.some(({ msg }) => msg === 'process did not leave in time: killed')).toBe(true);
  });

  test('a second signal ends all at once', async () => {
    await using program = await startProgram({ SHUTDOWN_SECONDS: '3600' });
    const cut = expect(program.get('/never')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await program.line('held');
    program.signal('SIGTERM');
    await program.line('stopping');
    // The first moments after a signal count as the same one, which npm and the terminal both send.
    const again = setInterval(() => program.signal('SIGINT'), 50);
    expect(await program.ended).toBe(130);
    clearInterval(again);
    await cut;
    await program.closed;
  });
});

test('an overrun replaces the process; with a single one the port stays open meanwhile', async () => {
  await using program = await startProgram({ PROCESSES: '1' });
  const stuck = who(await program.get('/overrun')).pid;
  for (;;) {
    const { pid } = who(await program.get('/'));
    if (pid !== stuck) break;
  }
  await gone(stuck);
  expect((await program.get('/')).status).toBe(200);
  await program.line(({ msg, process: pid }) => msg === 'process left' && pid === stuck);
});

describe('start', () => {
  test('a port in use is told, and the primary gives up', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      await using program = await startProgram({ PORT: String(port) }, { serves: false });
      expect(await program.ended).toBe(1);
      const fatal = program.lines.filter(({ level }) => level === 60);
      expect(fatal[0]?.msg).toMatch(`127.0.0.1:${port} is in use by another program`);
      expect(fatal[0]).not.toHaveProperty('err');
      expect(fatal.at(-1)?.msg).toMatch('no process could start');
      expect(fatal.at(-1)?.pid).toBe(program.pid);
      expect(fatal).toHaveLength(4);
    } finally {
      other.close();
    }
  });
});
