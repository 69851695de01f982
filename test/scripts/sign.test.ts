import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parseSignedPath, parseUrlKeys, signerOf } from '../../src/lib/signed-url.ts';
import { BARE_ENV } from '../support/bare-env.ts';

const URL_KEYS = `new:${'a1'.repeat(32)},old:${'b2'.repeat(32)}`;
const [first, second] = parseUrlKeys(URL_KEYS);
if (first === undefined || second === undefined) throw new Error('two keys were read');

const sign = async (...args: string[]): Promise<string> => {
  const env = { ...BARE_ENV, URL_KEYS };
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/sign.ts', ...args], { env });
  return stdout.trim();
};

it('signs with the first key, or the one that is named', async () => {
  const plain = parseSignedPath(await sign('width=320&format=webp', 'upload:1'));
  expect(Object.fromEntries(plain.options)).toEqual({ width: '320', format: 'webp' });
  expect(plain.source).toBe('upload:1');
  expect(signerOf([first], plain)).toBe(first);
  const named = await sign('--key', 'old', '--base64', '--expires', '60', '-', 'https://example.com/a.jpg');
  expect(named).toContain('/base64:');
  const read = parseSignedPath(named);
  expect(signerOf([second], read)).toBe(second);
  const left = Number(read.options.get('expires')) - Date.now() / 1000;
  expect(left).toBeGreaterThan(30);
  expect(left).toBeLessThanOrEqual(60);
});

it.each([
  [[], 'Options and source are needed'],
  [['width', 'upload:1'], 'name=value'],
  [['--key', 'none', '-', 'upload:1'], 'has no such key'],
  [['--expires', 'soon', '-', 'upload:1'], 'whole seconds'],
  [['--size', '-', 'upload:1'], 'npm run sign --'],
])('says what is wrong with %j', async (args, why) => {
  await expect(sign(...args)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining(why) as string,
  });
});

it.each(['backup', 'keys', 'purge', 'sign'])(
  '%s tells its usage to who asks, and makes nothing',
  async (name) => {
    const cwd = await mkdtemp(join(tmpdir(), 'mediamill-help-'));
    const script = resolve('scripts', `${name}.ts`);
    for (const word of ['--help', '-h']) {
      const options = { cwd, env: { ...BARE_ENV, DATA_DIR: cwd } };
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, word], options);
      expect(stdout).toContain(`npm run ${name} --`);
      expect(stderr).toBe('');
    }
    expect(await readdir(cwd)).toEqual([]);
    await rm(cwd, { recursive: true });
  },
);

it.each(['keys', 'purge', 'sign'])('%s has no stack for an option that it does not know', async (name) => {
  const called = promisify(execFile)(process.execPath, [`scripts/${name}.ts`, '--bogus', 'x']);
  await expect(called).rejects.toMatchObject({
    code: 2,
    stderr: expect.not.stringContaining('    at ') as string,
  });
});
