// The entry, before anything is forked.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const main = join(import.meta.dirname, '../../src/main.ts');

test('wrong settings are told all together, without a stack, and the exit code is 2', async () => {
  const env = { ...process.env, PORT: 'seventy', HOST: '0.0.0.0', IMAGE_THREADS: '0' };
  const [code, stdout, stderr] = await new Promise<[unknown, string, string]>((resolve) => {
    execFile(process.execPath, [main], { env }, (error, out, err) => resolve([error?.code, out, err]));
  });
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^These settings are wrong:\n/);
  expect(stderr).toMatch(/^ {2}PORT: .*seventy/m);
  expect(stderr).toMatch(/^ {2}IMAGE_THREADS: /m);
  expect(stderr).not.toMatch(/^\s+at /m);
});
