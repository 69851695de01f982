import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockFree, takeLock } from '../../src/stores/cache-lock.ts';
import { eventually } from '../support/eventually.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-lock-'));
  path = join(folder, 'x.lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A lock file as another owner leaves it. */
const leave = async (owner: { host: string; pid: number }, ageMs = 0): Promise<void> => {
  await writeFile(path, JSON.stringify({ ...owner, lock: 'left' }));
  const at = new Date(Date.now() - ageMs);
  await utimes(path, at, at);
};

it('is had by one at a time', async () => {
  const lock = await takeLock(path);
  expect(lock).toBeDefined();
  expect(await takeLock(path)).toBeUndefined();
  const freed = lockFree(path);
  await lock?.release();
  await freed;
  const next = await takeLock(path);
  expect(next).toBeDefined();
  await next?.release();
  expect(await readdir(folder)).toEqual([]);
});

it('is taken over from a process that is gone, by one only', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  const { pid = 0 } = child;
  await once(child, 'exit');
  // Many times: whoever comes late must meet the new owner at every point of the taking over.
  for (let round = 0; round < 50; round++) {
    await leave({ host: hostname(), pid });
    await lockFree(path);
    const taken = await Promise.all(Array.from({ length: 8 }, () => takeLock(path)));
    expect(taken.filter((lock) => lock !== undefined)).toHaveLength(1);
    for (const lock of taken) await lock?.release();
    expect(await readdir(folder)).toEqual([]);
  }
});

it('is taken over also where whoever took it over died over that', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  const { pid = 0 } = child;
  await once(child, 'exit');
  await leave({ host: hostname(), pid });
  await writeFile(`${path}.left`, JSON.stringify({ host: hostname(), pid, lock: 'left too' }));
  const taken = await Promise.all(Array.from({ length: 8 }, () => takeLock(path)));
  expect(taken.filter((lock) => lock !== undefined)).toHaveLength(1);
  for (const lock of taken) await lock?.release();
  expect(await readdir(folder)).toEqual([]);
});

it('is taken over from another machine once it gives no sign of life', async () => {
  await leave({ host: 'elsewhere', pid: process.pid });
  expect(await takeLock(path)).toBeUndefined();
  await leave({ host: 'elsewhere', pid: process.pid }, 11_000);
  await lockFree(path);
  const lock = await takeLock(path);
  expect(lock).toBeDefined();
  await lock?.release();
});

it('stays with whoever gives signs of life', async () => {
  const lock = await takeLock(path, { beatMs: 10 });
  const long = new Date(Date.now() - 60_000);
  await utimes(path, long, long);
  // The next sign of life makes it young again.
  await eventually('a sign of life', async () => (await stat(path)).mtimeMs > Date.now() - 30_000);
  expect(await takeLock(path)).toBeUndefined();
  await lock?.release();
});

it('does not take away what another has by now', async () => {
  const lock = await takeLock(path);
  await rm(path);
  const other = await takeLock(path);
  await lock?.release();
  await access(path);
  await other?.release();
});

it('is let go by kill -9 of its owner', async () => {
  const module = resolve(import.meta.dirname, '../../src/stores/cache-lock.ts');
  const code = `import { takeLock } from ${JSON.stringify(module)};
    const lock = await takeLock(${JSON.stringify(path)});
    console.log(lock === undefined ? 'held' : 'mine'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(said.toString().trim()).toBe('mine');
  expect(await takeLock(path)).toBeUndefined();
  const freed = lockFree(path);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await freed;
  const lock = await takeLock(path);
  expect(lock).toBeDefined();
  await lock?.release();
});
