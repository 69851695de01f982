// Does what the Dockerfile says, without Docker: the production packages, the files it copies, its environment, its commands.

import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { copies, environment, execForm, healthcheck, last, readDockerfile, root } from './dockerfile.ts';
import type { Stage } from './dockerfile.ts';

const stages = readDockerfile();
const final = stages.at(-1) as Stage;
const run = promisify(execFile);

let folder = '';
let app = '';
let env: Record<string, string> = {};
const started: ChildProcess[] = [];

/** Starts the CMD of the image. */
function start(more: Record<string, string> = {}) {
  const [program = '', ...args] = execForm(last(final, 'CMD'));
  const child = spawn(program, args, {
    cwd: app,
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { child, exit: once(child, 'exit') as Promise<[number | null]>, said: () => said };
}

async function healthy(more: Record<string, string> = {}): Promise<boolean> {
  const [program = '', ...args] = healthcheck(final);
  try {
    await run(program, args, { cwd: app, env: { ...env, ...more } });
    return true;
  } catch {
    return false;
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-production-'));
  app = join(folder, 'app');
  await mkdir(join(folder, 'data'));
  await mkdir(app);
  // In this container, the machine's Node is the one that runs this test.
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  for (const { sources, target } of stages
    .flatMap((stage) => copies(stage))
    .filter(({ from }) => from === undefined)) {
    for (const source of sources) {
      const into = target.endsWith('/') && !(sources.length === 1 && basename(target) === basename(source));
      await cp(join(root, source), into ? join(app, target, basename(source)) : join(app, target), {
        recursive: true,
      });
    }
  }
  const install = stages
    .flatMap(({ instructions }) => instructions)
    .find(({ rest }) => rest.startsWith('npm ci'));
  const [npm = '', ...args] = (install?.rest ?? '').split(' ');
  // What scripts/setup has just installed lies in npm's cache, so this needs no network.
  await run(npm, [...args, '--prefer-offline'], {
    cwd: app,
    env: { ...process.env, PATH: path, NODE_ENV: 'production' },
  });
  env = { PATH: path, HOME: folder, ...environment(final) };
  for (const [name, value] of Object.entries(env)) {
    env[name] = value.replace(/^\/app\b/, app).replace(/^\/data\b/, join(folder, 'data'));
  }
  env['PORT'] = String(await freePort());
  env['ADMIN_PORT'] = String(await freePort());
}, 120_000);

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('it refuses to serve everybody unless that is said to be wanted', async () => {
  const { exit, said } = start();
  expect((await exit)[0]).toBe(2);
  expect(said()).toContain('ALLOW_UNAUTHENTICATED=true');
});

test('warming leaves compiled code for the next start', async () => {
  const cache = env['NODE_COMPILE_CACHE'] ?? '';
  expect(cache).toMatch(new RegExp(`^${app}`));
  await run(process.execPath, ['scripts/warm.ts'], { cwd: app, env });
  const files = await readdir(cache, { recursive: true });
  // Our own, and of the packages, and of the image threads.
  expect(files.length).toBeGreaterThan(100);
}, 90_000);

test('it serves, is found healthy, and ends at SIGTERM', async () => {
  const { child, exit, said } = start({ ALLOW_UNAUTHENTICATED: 'true' });
  await expect.poll(() => healthy(), { timeout: 30_000, message: said() }).toBe(true);
  // With the admin port switched off, the public one is asked.
  await expect.poll(() => healthy({ ADMIN_PORT: '' }), { timeout: 30_000, message: said() }).toBe(true);
  const answer = await fetch(`http://127.0.0.1:${env['PORT']}/livez`);
  expect(await answer.json()).toEqual({ status: 'ok' });
  child.kill('SIGTERM');
  expect((await exit)[0]).toBe(0);
  expect(await healthy()).toBe(false);
}, 90_000);

test('the doctor in the image finds nothing missing', async () => {
  const { stdout } = await run(process.execPath, ['scripts/doctor.ts'], {
    cwd: app,
    env: { ...env, ALLOW_UNAUTHENTICATED: 'true' },
  });
  expect(stdout).toMatch(/^✓ packages .* without those for development$/m);
});
