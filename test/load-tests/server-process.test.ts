// Starting and stopping the program under test: what goes wrong there must be told, and nothing may be left.

import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckFailed } from '../../load-tests/check.ts';
import { readTree } from '../../load-tests/process-tree.ts';
import { startServer } from '../../load-tests/server-process.ts';

const signal = new AbortController().signal;

/** A program that serves as the real one does, with something amiss. */
const program = (more: string): readonly [string, ...string[]] => [
  process.execPath,
  '-e',
  `const server = require('node:http').createServer((request, response) => response.end(JSON.stringify(process.env)));
   const log = (entry) => console.log(JSON.stringify({ level: 30, ...entry }));
   server.listen(0, '127.0.0.1', () => log({ msg: 'serving', address: 'http://127.0.0.1:' + server.address().port, processes: 2, imageThreads: 1, videoSlots: 1 }));
   process.on('SIGTERM', () => { server.close(); process.exitCode = 0; });
   ${more}`,
];

describe('a server', () => {
  it('is told where it serves, and stops without a trace', async () => {
    const server = await startServer({ signal, command: program(''), env: { LOG_LEVEL: 'warn' } });
    const { address, processes, imageThreads, videoSlots, dataDir, pid } = server;
    expect({ processes, imageThreads, videoSlots }).toEqual({ processes: 2, imageThreads: 1, videoSlots: 1 });
    const env = (await (
      await fetch(address, { headers: { connection: 'close' } })
    ).json()) as NodeJS.ProcessEnv;
    expect(env).toMatchObject({ PORT: '0', LOG_FORMAT: 'json', DATA_DIR: dataDir, LOG_LEVEL: 'warn' });
    await server.stop();
    await server.stop();
    expect(await readTree(pid)).toEqual([]);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('does not inherit settings', async () => {
    process.env['IMAGE_QUEUE'] = '1';
    try {
      await using server = await startServer({ signal, command: program('') });
      const env = (await (
        await fetch(server.address, { headers: { connection: 'close' } })
      ).json()) as object;
      expect(env).not.toHaveProperty('IMAGE_QUEUE');
    } finally {
      delete process.env['IMAGE_QUEUE'];
    }
  });

  it('that does not start is told with its last words', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
    const command = [process.execPath, '-e', 'console.error("no room at all"); process.exit(3)'] as const;
    const failed = startServer({ signal, command, dataDir });
    await expect(failed).rejects.toThrow(CheckFailed);
    await expect(failed).rejects.toThrow(/exit code 3[^]*no room at all/);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('that there is not is told', async () => {
    await expect(startServer({ signal, command: ['/nowhere/at-all'] })).rejects.toThrow('ENOENT');
  });

  it('that leaves a process behind is found out, and the process ended', async () => {
    const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true, stdio: 'ignore' })`;
    const server = await startServer({ signal, command: program(`const child = ${child}; child.unref();`) });
    const [, left] = await readTree(server.pid);
    await expect(server.stop()).rejects.toThrow(`processes are left: ${left?.pid}`);
    await expect.poll(() => readTree(left?.pid as number)).toEqual([]);
  });

  it('that logs an error, or ends badly, is found out', async () => {
    const complains = await startServer({ signal, command: program(`log({ level: 50, msg: 'it hurts' });`) });
    await expect(complains.stop()).rejects.toThrow(/logged errors[^]*it hurts/);
    const fails = await startServer({
      signal,
      command: program(`process.on('SIGTERM', () => process.exit(4));`),
    });
    await expect(fails.stop()).rejects.toThrow('did not end well after SIGTERM (exit code 4');
  });

  it('is not waited for when the run is interrupted', async () => {
    const stop = new AbortController();
    const silent = program('setInterval(() => {}, 1e6);').map((arg) => arg.replace("'serving'", "'hm'"));
    const starting = startServer({ signal: stop.signal, command: silent as [string, ...string[]] });
    stop.abort(new Error('enough'));
    await expect(starting).rejects.toThrow('enough');
  });
});
