import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const logger = resolve(import.meta.dirname, '../src/logger.ts');

describe.skipIf(!existsSync('/dev/full'))('with a full disk under the log', () => {
  it.each(['json', 'pretty'])('the work goes on (%s)', async (format) => {
    const script = `
      const { createLogger } = await import(${JSON.stringify(logger)});
      const log = createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: '${format}' });
      for (let i = 0; i < 100; i++) log.info({ i }, 'a line that cannot be written');
      process.stderr.write('still here');
    `;
    const { stderr } = await run('sh', [
      '-c',
      '"$0" --input-type=module -e "$1" >/dev/full',
      process.execPath,
      script,
    ]);
    expect(stderr).toContain('still here');
  });
});

it('never writes a key, a session or the secret of a webhook, wherever a client has put it', async () => {
  const script = `
    const { createLogger } = await import(${JSON.stringify(logger)});
    const log = createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' });
    const secret = 'aB3_-'.repeat(8) + 'xyz';
    log.info({ url: '/v1/jobs?key=mm_0123456789ab_' + secret }, 'There is no job "ms_0123456789ab_' + secret + '"');
    log.info({ err: new Error('whsec_' + secret) }, 'failed for mm_0123456789ab');
    const key = 'mm_0123456789ab_' + secret;
    log.info({ url: '/v1/jobs?auth=Bearer%20' + key + '&token%3D' + key }, 'x_' + key + ' line\\n' + key);
    log.info({ url: '_' + key, hook: '/?s=whsec_aB3%2B' + secret.slice(0, 20) + '%2FaB3%3D' }, 'encoded');
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  for (const shown of ['Bearer%20', '&token%3D', 'x_', String.raw`line\n`, '"_'])
    expect(stdout).toContain(`${shown}mm_0123456789ab_[redacted]`);
  expect(stdout).toContain('/v1/jobs?key=mm_0123456789ab_[redacted]"');
  expect(stdout).toContain('ms_0123456789ab_[redacted]');
  expect(stdout).toContain('whsec_[redacted]');
  expect(stdout).toContain('failed for mm_0123456789ab"');
  expect(stdout).not.toContain('aB3');
  for (const line of stdout.trim().split('\n')) JSON.parse(line);
});
