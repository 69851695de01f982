import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { isSignedBy, parseSignedPath, parseUrlKeys } from '../../src/lib/signed-url.ts';

const URL_KEYS = `new:${'a1'.repeat(32)},old:${'b2'.repeat(32)}`;
const [first, second] = parseUrlKeys(URL_KEYS);
if (first === undefined || second === undefined) throw new Error('two keys were read');

const sign = async (...args: string[]): Promise<string> => {
  const env = { PATH: process.env['PATH'], URL_KEYS };
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/sign.ts', ...args], { env });
  return stdout.trim();
};

it('signs with the first key, or the one that is named', async () => {
  const plain = parseSignedPath(await sign('width=320&format=webp', 'upload:1'));
  expect(Object.fromEntries(plain.options)).toEqual({ width: '320', format: 'webp' });
  expect(plain.source).toBe('upload:1');
  expect(isSignedBy([first], plain)).toBe(true);
  const named = await sign('--key', 'old', '--base64', '--expires', '60', '-', 'https://example.com/a.jpg');
  expect(named).toContain('/base64:');
  const read = parseSignedPath(named);
  expect(isSignedBy([second], read)).toBe(true);
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
