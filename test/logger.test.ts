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
