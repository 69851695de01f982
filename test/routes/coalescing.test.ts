// The real program, in two processes: what many ask for at once is made once, and survives the death of who makes it.

import { expect, it } from 'vitest';
import { parseUrlKeys, signedPath } from '../../src/lib/signed-url.ts';
import { call } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { imageFixture } from '../support/fixtures.ts';
import { startProgram } from '../support/program.ts';

it('a hundred simultaneous misses run the work once', async () => {
  const URL_KEYS = `only:${'d4'.repeat(32)}`;
  const [key] = parseUrlKeys(URL_KEYS);
  await using program = await startProgram({ URL_KEYS, LOG_LEVEL: 'debug' });
  const stored = await call(program.address, '/v1/uploads', {
    method: 'POST',
    body: await imageFixture({ width: 1600, height: 1200 }),
  });
  const { source } = stored.json() as { source: string };
  const path = signedPath({ options: new Map([['width', '640']]), source }, { key });
  const since = program.log.length;
  const answers = await Promise.all(Array.from({ length: 100 }, () => call(program.address, path)));
  const how = Map.groupBy(answers, ({ headers }) => String(headers['cache-status']));
  const bodies = new Set(answers.map(({ body }: Answer) => body.toString('base64')));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
  expect(how.get('mediamill; fwd=miss; stored')).toHaveLength(1);
  expect(bodies.size).toBe(1);

  const lines = program.log.slice(since).filter(({ msg }) => msg === 'answered');
  // Both processes took part, and neither wrote a signature into its log.
  expect(new Set(lines.map(({ pid }) => pid)).size).toBe(2);
  const signature = path.split('/')[3] ?? '?';
  expect(JSON.stringify(program.log)).not.toContain(signature);
});
