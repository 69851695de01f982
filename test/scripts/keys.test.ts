import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeys } from '../../src/access/keys.ts';
import { openMeters, openRecords } from '../../src/registers/open.ts';
import { accountOf } from '../../src/access/accounts.ts';
import { BARE_ENV } from '../support/bare-env.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-keys-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, ['scripts/keys.ts', ...args], {
    env: { ...BARE_ENV, DATA_DIR: folder, TENANT_ACTIVE_JOBS: '7' },
  });

it('makes a key that holds, and shows it this once', async () => {
  const { stdout, stderr } = await run(
    ...['create', '--tenant', 'acme', '--name', 'ci of acme', '--scopes', 'jobs:write,jobs:read'],
    ...['--expires', '90d'],
  );
  expect(stdout).toMatch(/^mm_[0-9a-z]{12}_[\w-]{43}\n$/);
  expect(stderr).toContain('from now on the server asks everyone');
  const text = stdout.trim();
  const records = await openRecords({ DATA_DIR: folder });
  const key = await createKeys({ records }).verify(text);
  await records.close();
  expect(key).toMatchObject({ tenant: 'acme', name: 'ci of acme', scopes: ['jobs:read', 'jobs:write'] });
  expect((key.expiresAt ?? 0) - key.createdAt).toBeCloseTo(90 * 86_400_000, -5);

  const second = await run('create');
  expect(second.stderr).not.toContain('It is the first');
  const table = (await run('list')).stdout;
  expect(table.split('\n')[0]).toMatch(/^id +tenant +name +scopes/);
  expect(table).toMatch(new RegExp(`^${key.id} +acme +ci of acme +jobs:read,jobs:write .* until `, 'm'));
  expect(table).toMatch(/ default +unnamed +images,jobs:read,jobs:write,uploads,webhooks .* valid$/m);
  const { stdout: json } = await run('list', '--json');
  expect(json).not.toContain('secretHash');
  expect(json + table).not.toContain(text.slice(16));
  expect(JSON.parse(json)).toHaveLength(2);

  expect((await run('revoke', key.id)).stdout).toBe(`${key.id} (ci of acme) is revoked.\n`);
  expect((await run('list')).stdout).toMatch(new RegExp(`^${key.id} .* revoked `, 'm'));
});

it('sets limits, and tells what was used', async () => {
  const limits = async (...args: string[]): Promise<unknown> =>
    JSON.parse((await run('limits', 'acme', '--json', ...args)).stdout);
  expect(await limits()).toMatchObject({ requestsPerMinute: null, activeJobs: 7 });
  expect(await limits('--requests-per-minute', '100', '--active-jobs', 'none')).toMatchObject({
    requestsPerMinute: 100,
    activeJobs: null,
  });
  expect(await limits('--active-jobs', 'default', '--bytes-per-day', '5000')).toEqual({
    requestsPerMinute: 100,
    concurrentRequests: null,
    activeJobs: 7,
    bytesPerDay: 5000,
    minutesPerDay: null,
  });
  expect((await run('limits', 'acme')).stdout).toMatch(/^requests-per-minute +100$/m);
  const meters = await openMeters({ DATA_DIR: folder });
  const account = accountOf('bytes', 'acme', Date.now());
  await meters.spend(account.name, 1234, account.keptUntil);
  await meters.close();
  expect((await run('usage', 'acme')).stdout).toMatch(/^bytes today +1234 +of 5000$/m);
  expect(JSON.parse((await run('usage', 'acme', '--json')).stdout)).toMatchObject({
    bytes: 1234,
    minutes: 0,
  });
});

it('says where the key is kept, and warns where no server has been', async () => {
  expect((await run('create')).stderr).toContain(`It is kept in ${folder} (DATA_DIR).\n`);
  const other = join(folder, 'mistyped');
  const create = () =>
    promisify(execFile)(process.execPath, ['scripts/keys.ts', 'create'], {
      env: { ...BARE_ENV, DATA_DIR: other },
    });
  const { stdout, stderr } = await create();
  expect(stdout).toMatch(/^mm_\S+\n$/);
  expect(stderr).toContain(`WARNING: DATA_DIR was not there and was made: ${other}.`);
  expect((await create()).stderr).not.toContain('WARNING');
});

it.each([
  [[], 'Say what to do'],
  [['make'], 'no command make'],
  [['toString'], 'no command toString'],
  [['create', 'ci'], 'Write --name ci'],
  [['create', '--scopes', 'jobs,images'], 'no scope "jobs"'],
  [['create', '--tenant', 'Acme Ltd'], 'cannot name a tenant'],
  [['create', '--expires', 'soon'], '--expires takes'],
  [['create', '--colour', 'red'], 'colour'],
  [['revoke'], 'Say which key'],
  [['limits'], 'Name one tenant'],
  [['limits', 'acme', '--active-jobs', '-1'], 'active-jobs'],
  [['limits', 'acme', '--active-jobs', 'many'], 'none, or default'],
  [['usage', 'a', 'b'], 'Name one tenant'],
])('says what is wrong with %j', async (args, why) => {
  await expect(run(...args)).rejects.toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining(why) as string,
  });
});

it('fails for a key that there is not', async () => {
  await expect(run('revoke', '000000000000')).rejects.toMatchObject({
    code: 1,
    stderr: 'There is no key 000000000000.\n',
  });
});
