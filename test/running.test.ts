// The operations guide: its backup brings everything back, and what it names is there.

import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig, settings } from '../src/config.ts';
import { PROBLEMS } from '../src/problems.ts';
import { imageFixture } from './support/fixtures.ts';
import { startProgram } from './support/program.ts';
import { startRedis } from './support/redis.ts';
import { startS3 } from './support/s3.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');
const path = resolve(ROOT, 'docs/running.md');
const guide = await readFile(path, 'utf8');

/** The commands of the guide that are marked as such, run with the folders that the test has, by whoever runs it. */
function commands(replaced: Readonly<Record<string, string>>): string[] {
  return [...guide.matchAll(/```sh\n(.*?)```/gs)].map(([, command = '']) =>
    Object.entries(replaced).reduce((text, [from, to]) => text.replaceAll(from, to), command),
  );
}

/** As in a new shell of the operator: nothing in it says where the data is. */
function bash(command: string): Promise<{ stdout: string; stderr: string }> {
  const { DATA_DIR: _, ...env } = process.env;
  return run('bash', ['-uc', command], { cwd: tmpdir(), env });
}

let folder: string;
let dataDir: string;
let guided: { key: string; backup: string; restore: string; remove: string };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-guide-'));
  dataDir = join(folder, 'data');
  const settingsFile = join(folder, 'settings.env');
  await mkdir(dataDir);
  await writeFile(settingsFile, `DATA_DIR=${dataDir}\n`);
  const [key = '', backup = '', restore = '', remove = ''] = commands({
    'sudo -u mediamill node': process.execPath,
    '/etc/mediamill.env': settingsFile,
    '/opt/mediamill': ROOT,
    '/backup/mediamill': join(folder, 'copy'),
    '/var/lib/mediamill': dataDir,
    'mediamill:mediamill': `${process.getuid?.()}:${process.getgid?.()}`,
  });
  guided = { key, backup, restore, remove };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('brings back jobs, results and keys from a backup of the running server', async () => {
  const made = await bash(guided.key);
  expect(made.stderr).toContain(`It is kept in ${dataDir} (DATA_DIR).`);
  const headers = { authorization: `Bearer ${made.stdout.trim()}` };
  let url = '';
  let bytes: ArrayBuffer;
  {
    await using program = await startProgram({ DATA_DIR: dataDir });
    const accepted = await fetch(`${program.address}/v1/images?width=50&format=png`, {
      method: 'POST',
      body: await imageFixture({ width: 200, height: 100 }),
      headers: { ...headers, prefer: 'respond-async' },
    });
    const { id } = (await accepted.json()) as { id: string };
    const job = (await (await fetch(`${program.address}/v1/jobs/${id}?wait=20`, { headers })).json()) as {
      status: string;
      outputs: { url: string }[];
    };
    expect(job.status).toBe('succeeded');
    url = job.outputs[0]!.url;
    bytes = await (await fetch(new URL(url, program.address), { headers })).arrayBuffer();
    await bash(guided.backup);
    // Into the same folder a second time would mix two moments.
    await expect(bash(guided.backup)).rejects.toThrow(/EEXIST/);
  }
  await writeFile(join(dataDir, 'mediamill.sqlite'), 'spoilt');
  await bash(guided.restore);
  const old = join(dataDir, '.before-restore');
  expect(await readFile(join(old, 'mediamill.sqlite'), 'utf8')).toBe('spoilt');
  await using restored = await startProgram({ DATA_DIR: dataDir });
  expect((await fetch(`${restored.address}/v1/jobs`)).status).toBe(401);
  const again = await fetch(new URL(url, restored.address), { headers });
  expect(again.status).toBe(200);
  expect(Buffer.from(await again.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
  await bash(guided.remove);
  await expect(access(old)).rejects.toThrow(/ENOENT/);
}, 60_000);

it('restores nothing from a backup that is not whole, and moves nothing', async () => {
  await writeFile(join(dataDir, 'mediamill.sqlite'), 'jobs');
  await expect(bash(guided.restore)).rejects.toMatchObject({ code: 1 });
  await mkdir(join(folder, 'copy'));
  await writeFile(join(folder, 'copy', 'mediamill.sqlite'), 'jobs');
  await expect(bash(guided.restore)).rejects.toMatchObject({ code: 1 });
  expect(await readdir(dataDir)).toEqual(['mediamill.sqlite']);
});

it('makes no backup where there is nothing, and fails', async () => {
  await expect(bash(guided.backup)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`There is no mediamill.sqlite in ${dataDir}`) as string,
  });
  await writeFile(join(dataDir, 'mediamill.sqlite'), '');
  await expect(bash(guided.backup)).rejects.toMatchObject({
    stderr: expect.stringContaining('There is no records.sqlite') as string,
  });
  await expect(access(join(folder, 'copy'))).rejects.toThrow(/ENOENT/);
});

it('names only files, settings and problems that there are', async () => {
  const links = [...guide.matchAll(/\]\((?!http)([^)#]+)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(6);
  for (const link of links) await access(resolve(dirname(path), link));
  const others = ['POST', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS', 'SIGHUP', 'DATA', 'KEY_ID', 'ALL'];
  const named = [...guide.matchAll(/`([A-Z][A-Z_]{3,})\b/g)].map(([, name = '']) => name);
  expect(named.filter((name) => !(name in settings) && !others.includes(name))).toEqual([]);
  const codes = [...guide.matchAll(/(?:\d{3} |as )`([a-z_]+)`/g)].map(([, code = '']) => code);
  expect(codes.length).toBeGreaterThan(3);
  expect(codes.filter((code) => !(code in PROBLEMS))).toEqual([]);
});

/** The blocks of the guide in one language. */
const blocks = (language: string): string[] =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, block = '']) => block);

it('has settings of a fleet that the program takes', () => {
  const [lines = ''] = blocks('ini');
  const given = lines
    .trim()
    .split('\n')
    .map((line) => line.split(/=(.*)/s, 2) as [string, string]);
  expect(given.length).toBeGreaterThan(5);
  expect(given.filter(([name]) => !(name in settings))).toEqual([]);
  expect(readConfig(Object.fromEntries(given))).toMatchObject({ QUEUE: 'bullmq', STORE: 's3' });
});

it('has a Redis that is fit, and whose user can do all that a fleet does, and no more', async () => {
  const [fit = '', users = ''] = blocks('conf');
  // The lines that need a folder are its own; as arguments they are `--name values`.
  const args = `${fit}${users}`
    .trim()
    .split('\n')
    .flatMap((line) => `--${line}`.split(' '))
    .map((word) => (word === '""' ? '' : word));
  await using redis = await startRedis(args);
  await using s3 = await startS3();
  const url = redis.url.replace('//', '//mediamill:PASSWORD@');
  await using program = await startProgram({
    ...s3.settings(),
    QUEUE: 'bullmq',
    REDIS_URL: url,
    DATA_DIR: dataDir,
  });
  const accepted = await fetch(`${program.address}/v1/images?width=50&format=png`, {
    method: 'POST',
    body: await imageFixture({ width: 200, height: 100 }),
    headers: { prefer: 'respond-async' },
  });
  const { id } = (await accepted.json()) as { id: string };
  const job = await fetch(`${program.address}/v1/jobs/${id}?wait=20`);
  expect(await job.json()).toMatchObject({ status: 'succeeded' });
  // Nothing that speaks against this Redis.
  expect(JSON.stringify(program.log)).not.toMatch(/evict|forgets|NOPERM/);
  const stranger = new Redis(url, { retryStrategy: () => null });
  try {
    await expect(stranger.get('{another}:x')).rejects.toThrow(/NOPERM/);
    await expect(stranger.flushall()).rejects.toThrow(/NOPERM/);
  } finally {
    stranger.disconnect();
  }
}, 60_000);

it('has a lifecycle rule in the form of S3', () => {
  const [rule = ''] = blocks('json');
  expect(JSON.parse(rule)).toMatchObject({
    Rules: [{ Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 } }],
  });
});

const hasSystemd = await access('/usr/bin/systemd-analyze').then(
  () => true,
  () => false,
);

it.runIf(hasSystemd)('has a unit that systemd takes', async () => {
  const { stdout, stderr } = await run('systemd-analyze', ['verify', 'docs/mediamill.service'], {
    cwd: ROOT,
  }).catch((error: { stdout: string; stderr: string }) => error);
  // This machine need not have the user, Node's place or the manual.
  const real = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => /mediamill\.service/.test(line) && !/not executable|No such file|not found/.test(line));
  expect(real).toEqual([]);
});
