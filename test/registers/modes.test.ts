// Hashes of keys and the secrets of webhooks: for nobody but the server's user.

import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openMeters, openRecords } from '../../src/registers/open.ts';
import { startTestServer } from '../support/server.ts';

let parent: string;
let umask: number;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'modes-'));
  umask = process.umask(0o022);
});
afterEach(async () => {
  process.umask(umask);
  await rm(parent, { recursive: true });
});

const modesIn = async (folder: string): Promise<Record<string, string>> => {
  const names = (await readdir(folder)).filter((name) => name.includes('.sqlite'));
  const modes = names.map(async (name) => [
    name,
    ((await stat(join(folder, name))).mode & 0o777).toString(8),
  ]);
  return Object.fromEntries(await Promise.all(modes)) as Record<string, string>;
};

it('the databases, and what lies beside them, are private; so is the folder that is made for them', async () => {
  const folder = join(parent, 'data');
  await using server = await startTestServer({}, { dataDir: folder });
  expect((await server.request('/v1/jobs')).status).toBe(200);
  const modes = await modesIn(folder);
  expect(Object.keys(modes)).toEqual(
    expect.arrayContaining(
      ['mediamill', 'meters', 'records'].flatMap((name) => [`${name}.sqlite`, `${name}.sqlite-wal`]),
    ),
  );
  expect(new Set(Object.values(modes))).toEqual(new Set(['600']));
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

it('those of before become so, and a folder stays as its owner made it', async () => {
  await chmod(parent, 0o750);
  const before = await openRecords({ DATA_DIR: parent });
  for (const name of await readdir(parent)) await chmod(join(parent, name), 0o644);
  const [again, meters] = [await openRecords({ DATA_DIR: parent }), await openMeters({ DATA_DIR: parent })];
  expect(new Set(Object.values(await modesIn(parent)))).toEqual(new Set(['600']));
  expect((await stat(parent)).mode & 0o777).toBe(0o750);
  for (const opened of [before, again, meters]) await opened.close();
});
