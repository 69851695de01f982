// The command line that moves a server's folder to Redis and S3, and back: refused, killed, run again.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { assertNotMoved } from '../../src/move/marker.ts';
import { fleetProcesses } from '../../src/redis/fleet-processes.ts';
import { runMove } from '../../scripts/move/run.ts';
import { EMBEDDED, expectServed, populate } from '../move/populated.ts';
import type { Populated } from '../move/populated.ts';
import { BARE_ENV } from '../support/bare-env.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';
import type { TestS3 } from '../support/s3.ts';
import { startTestServer } from '../support/server.ts';

type Env = Readonly<Record<string, string>>;

let parent: string;
let populated: Populated;
let redis: TestRedis;
let s3: TestS3;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'mediamill-move-'));
  [populated, redis, s3] = await Promise.all([populate(join(parent, 'from')), startRedis(), startS3()]);
}, 60_000);
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  await rm(parent, { recursive: true, force: true });
});

let count = 0;
/** Settings of a fleet that is still empty. */
const newFleet = (): Env => ({
  QUEUE: 'bullmq',
  REDIS_URL: redis.url,
  REDIS_PREFIX: `move-${count++}`,
  ...s3.settings(),
});

interface Ran {
  readonly code: number | null;
  readonly said: string;
  readonly notes: string;
}

/** The command line, in this process. */
async function run(args: readonly string[], env: Env, signal = new AbortController().signal): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const told = Promise.all([text(stdout), text(stderr)]);
  const code = await runMove({ args, env, stdout, stderr, signal });
  stdout.end();
  stderr.end();
  const [said, notes] = await told;
  return { code, said, notes };
}

/** A process of its own, which is killed as soon as it says `until`. Resolves with how it ended. */
async function killedAt(until: RegExp, args: readonly string[], env: Env): Promise<number | null> {
  const child = spawn(process.execPath, ['scripts/move.ts', '--files', '1', ...args], {
    env: { ...BARE_ENV, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (until.test(line)) child.kill('SIGKILL');
  });
  return (await exited)[0];
}

const toFleet = (env: Env, ...args: string[]): Promise<Ran> =>
  run(['--to', 'fleet', ...args], { DATA_DIR: populated.folder, ...env });

/** That the folder was moved: what was done since is not looked for. */
const forget = (): Promise<void> => rm(join(populated.folder, 'moved.json'), { force: true });
afterEach(forget);

describe('it refuses', () => {
  it.each([
    [[], /--to must be fleet or embedded/],
    [['--to', 'fleet', '--files', '0'], /--files must be 1 to 64/],
  ])('%j', async (args, message) => {
    const { code, notes } = await run(args, { DATA_DIR: populated.folder, ...newFleet() });
    expect([code, notes]).toEqual([2, expect.stringMatching(message)]);
  });

  it('settings that name no other place, a folder without jobs, a wrong setting', async () => {
    expect(await toFleet(EMBEDDED)).toMatchObject({
      code: 2,
      notes: expect.stringMatching(/no other place/),
    });
    const nothing = { ...newFleet(), DATA_DIR: join(parent, 'nothing') };
    expect(await toFleet(nothing)).toMatchObject({
      code: 2,
      notes: expect.stringMatching(/no mediamill\.sqlite/),
    });
    const wrong = { QUEUE: 'bullmq' };
    expect(await toFleet(wrong)).toMatchObject({
      code: 2,
      notes: expect.stringMatching(/REDIS_URL: is needed/),
    });
    expect(await readdir(parent)).toEqual(['from']);
  });

  it('while a server works in the folder', async () => {
    const folder = join(parent, 'busy');
    await cp(populated.folder, folder, { recursive: true });
    const settings = { ...newFleet(), DATA_DIR: folder };
    {
      await using _ = await startTestServer(EMBEDDED, { dataDir: folder });
      const refused = await toFleet(settings);
      expect(refused).toMatchObject({ code: 2, notes: expect.stringMatching(/A server works in/) });
    }
    expect((await toFleet(settings, '--dry-run')).code).toBe(0);
  });

  it('while a process of the fleet runs, unless it is said to be gone', async () => {
    const settings = newFleet();
    const [url, prefix] = [settings['REDIS_URL'] ?? '', settings['REDIS_PREFIX'] ?? ''];
    await using _ = await startTestServer(settings, { dataDir: join(parent, 'one machine') });
    expect(await fleetProcesses({ url, prefix, log: pino({ level: 'silent' }) })).toBe(1);
    const refused = await toFleet(settings);
    expect(refused).toMatchObject({
      code: 2,
      notes: expect.stringMatching(/^1 process of the fleet move-/),
    });
    expect((await toFleet(settings, '--dry-run', '--stopped')).code).toBe(0);
  });

  it('to bring a fleet back into a folder that has jobs', async () => {
    const back = await run(['--to', 'embedded'], { ...newFleet(), DATA_DIR: populated.folder });
    expect(back).toMatchObject({
      code: 2,
      notes: expect.stringMatching(/DATA_DIR has jobs or records of its own/),
    });
  });
});

it('says how much there is, and moves nothing, either way', async () => {
  const settings = newFleet();
  const first = await toFleet(settings, '--dry-run');
  expect(first).toMatchObject({ code: 0, said: expect.stringMatching(/^To move: \d+ files .*, 3 jobs/) });
  expect((await toFleet(settings, '--dry-run')).said).toBe(first.said);
  expect(await readdir(populated.folder)).not.toContain('moved.json');

  expect((await toFleet(settings)).code).toBe(0);
  const folder = join(parent, 'new');
  const back = await run(['--to', 'embedded', '--dry-run'], { ...settings, DATA_DIR: folder });
  expect(back).toMatchObject({ code: 0, said: expect.stringMatching(/^To move: \d+ files .*, 3 jobs/) });
  expect(await readdir(parent)).not.toContain('new');
  // In the folder of a server whose files alone are in S3.
  await rm(join(populated.folder, 'moved.json'));
  const inFolder = { QUEUE: 'sqlite', ...s3.settings(), DATA_DIR: populated.folder };
  expect((await run(['--to', 'embedded', '--dry-run'], inFolder)).code).toBe(0);
  assertNotMoved({ QUEUE: 'sqlite', STORE: 's3', DATA_DIR: populated.folder });
});

it('moves everything to Redis and S3, where a fleet goes on with it; once', async () => {
  const settings = newFleet();
  const moved = await toFleet(settings);
  expect(moved).toMatchObject({ code: 0, said: expect.stringMatching(/Checked, and there: .* 3 jobs/) });
  // The old server would work on the same jobs.
  await expect(startTestServer(EMBEDDED, { dataDir: populated.folder })).rejects.toThrow(
    /were moved to Redis/,
  );
  expect((await toFleet(settings)).said).toMatch(/was moved before/);
  await expectServed(populated, settings, populated.folder);
  // To go on with the old one and move that again would leave there what was changed since.
  await forget();
  expect(await toFleet(settings)).toMatchObject({ code: 2, notes: expect.stringMatching(/of its own/) });
  expect(await readdir(populated.folder)).not.toContain('moved.json');
}, 60_000);

it('killed at any point, nobody works at either place, and run again it brings everything', async () => {
  const settings = { ...newFleet(), DATA_DIR: populated.folder };
  for (const point of [/^Files/, /^Checking/]) {
    expect(await killedAt(point, ['--to', 'fleet'], settings)).toBeNull();
    await expect(startTestServer(EMBEDDED, { dataDir: populated.folder })).rejects.toThrow(/has not ended/);
    await expect(startTestServer(settings, { dataDir: join(parent, 'machine') })).rejects.toThrow(
      /A move to the fleet move-\d+ has not ended/,
    );
  }
  // It compares all of it.
  expect(await toFleet(settings)).toMatchObject({
    code: 0,
    said: expect.stringMatching(/: 0 files .*0 jobs/),
  });
}, 60_000);

it('given up, it is worked on where it was, and goes to another place', async () => {
  const settings = { ...newFleet(), DATA_DIR: populated.folder };
  const stopped = AbortSignal.abort(new Error('Broken off.'));
  const broken = await run(['--to', 'fleet'], settings, stopped);
  expect(broken).toMatchObject({ code: 1, notes: expect.stringMatching(/Broken off/) });
  expect(await toFleet(settings, '--give-up')).toMatchObject({ code: 0, notes: '' });
  expect(await toFleet(settings, '--give-up')).toMatchObject({ code: 1 });
  // As a server does that has begun to work there again.
  const folder = join(parent, 'worked on');
  await cp(populated.folder, folder, { recursive: true });
  {
    await using server = await startTestServer(EMBEDDED, { dataDir: folder });
    const path = `/v1/jobs/${populated.waiting}`;
    await server.request(path, { method: 'DELETE', headers: populated.headers });
  }
  const again = { ...settings, DATA_DIR: folder };
  expect(await toFleet(again)).toMatchObject({
    code: 2,
    notes: expect.stringMatching(/REDIS_PREFIX has a part of another move/),
  });
  const { REDIS_PREFIX = '' } = newFleet();
  expect((await toFleet({ ...again, REDIS_PREFIX })).code).toBe(0);
}, 60_000);

it('moves files alone, and the same server goes on with them in S3', async () => {
  const folder = join(parent, 'files in S3');
  await cp(populated.folder, folder, { recursive: true });
  const settings = { QUEUE: 'sqlite', ...s3.settings() };
  expect((await run(['--to', 'fleet'], { ...settings, DATA_DIR: folder })).code).toBe(0);
  await rm(join(folder, 'store'), { recursive: true });
  // And back, where the jobs have stayed.
  expect((await run(['--to', 'embedded'], { ...settings, DATA_DIR: folder })).code).toBe(0);
  const again = await run(['--to', 'fleet'], { ...settings, DATA_DIR: folder });
  expect(again).toMatchObject({ code: 0, said: expect.stringMatching(/^Sent in .*: 0 files/) });
  await rm(join(folder, 'store'), { recursive: true });
  await expectServed(populated, settings, folder);
}, 60_000);

it('moves files alone, and then the rest', async () => {
  const settings = newFleet();
  const files = await toFleet({ ...settings, QUEUE: 'sqlite' });
  expect(files).toMatchObject({ code: 0, said: expect.stringMatching(/, 0 records, 0 jobs/) });
  await expect(startTestServer(EMBEDDED, { dataDir: populated.folder })).rejects.toThrow(/were moved to S3/);
  const rest = await toFleet(settings);
  expect(rest).toMatchObject({
    code: 0,
    said: expect.stringMatching(/: 0 files and 0 B, \d+ records, 3 jobs/),
  });
  assertNotMoved({ QUEUE: 'bullmq', STORE: 's3', DATA_DIR: populated.folder });
  expect(JSON.parse(await readFile(join(populated.folder, 'moved.json'), 'utf8'))).toMatchObject({
    queue: expect.any(String),
    store: expect.any(String),
  });
}, 60_000);

it('brings a fleet back into a new folder, and the fleet does not start again', async () => {
  const settings = newFleet();
  expect((await toFleet(settings)).code).toBe(0);
  const folder = join(parent, 'back');
  const there = { ...settings, DATA_DIR: folder };
  expect(await killedAt(/^Records/, ['--to', 'embedded'], there)).toBeNull();
  const machine = { dataDir: join(parent, 'machine') };
  await expect(startTestServer(EMBEDDED, { dataDir: folder })).rejects.toThrow(/has not ended/);
  await expect(startTestServer(settings, machine)).rejects.toThrow(/A move of the fleet .* has not ended/);
  expect((await run(['--to', 'embedded'], there)).code).toBe(0);
  await expect(startTestServer(settings, machine)).rejects.toThrow(
    /were moved to a folder on .*redis-cli DEL '\{move-\d+\}:move'/,
  );
  await expectServed(populated, EMBEDDED, folder);
}, 60_000);
