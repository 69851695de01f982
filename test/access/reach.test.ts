import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { assertReach } from '../../src/access/reach.ts';
import { ConfigError } from '../../src/config.ts';
import { BARE_ENV } from '../support/bare-env.ts';
import { makeKey, revokeKey } from '../support/keys.ts';
import { startProgram } from '../support/program.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-reach-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['127.0.0.1', false, false, true],
  ['::1', false, false, true],
  ['0.0.0.0', false, false, false],
  ['0.0.0.0', true, false, true],
  ['0.0.0.0', false, true, true],
])('HOST=%s, ALLOW_UNAUTHENTICATED=%s, keys: %s', async (HOST, ALLOW_UNAUTHENTICATED, keys, allowed) => {
  const asked = assertReach({ HOST, ALLOW_UNAUTHENTICATED }, { exist: async () => keys });
  if (allowed) await asked;
  else {
    await expect(asked).rejects.toBeInstanceOf(ConfigError);
    await expect(asked).rejects.toThrow(/npm run keys -- create[^]*ALLOW_UNAUTHENTICATED=true/);
  }
});

it('the program says it once and ends, until a key was made, and be it one that was revoked', async () => {
  const env = { ...BARE_ENV, HOST: '0.0.0.0', PORT: '0', PROCESSES: '2', DATA_DIR: folder };
  const [code, stdout, stderr] = await new Promise<[unknown, string, string]>((resolve) => {
    execFile(process.execPath, [main], { env }, (error, out, err) => resolve([error?.code, out, err]));
  });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr.match(/HOST=0\.0\.0\.0 is reachable/g)).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at /m);
  const { id } = await makeKey(folder);
  await revokeKey(folder, id);
  await using program = await startProgram({ HOST: '0.0.0.0', DATA_DIR: folder });
  const { port } = new URL(program.address);
  expect((await fetch(`http://127.0.0.1:${port}/v1/jobs`)).status).toBe(401);
  expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
}, 60_000);
