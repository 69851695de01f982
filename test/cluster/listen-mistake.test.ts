import { expect, test } from 'vitest';
import { listenMistake } from '../../src/cluster/listen-mistake.ts';
import { readConfig } from '../../src/config.ts';

const config = readConfig({ HOST: '10.1.2.3', PORT: '80', ADMIN_HOST: 'inside', ADMIN_PORT: '81' });
const error = (code: string): Error => Object.assign(new Error('no'), { code });

test.each([
  ['EADDRINUSE', '10.1.2.3:80 is in use by another program: stop that, or set PORT to another number'],
  [
    'EADDRNOTAVAIL',
    'HOST=10.1.2.3 is no address of this machine: set HOST to one that it has, such as 127.0.0.1',
  ],
  ['EACCES', '10.1.2.3:80 may not be used by this user: set PORT to 1024 or more'],
  ['EIO', undefined],
])('%s is told in words', (code, words) => {
  expect(listenMistake(error(code), config, '')).toBe(words);
});

test('of the admin port its own settings are named', () => {
  expect(listenMistake(error('ENOTFOUND'), config, 'ADMIN_')).toMatch(
    /^ADMIN_HOST=inside .* set ADMIN_HOST /,
  );
  expect(listenMistake(error('EACCES'), config, 'ADMIN_')).toMatch(/^inside:81 .* set ADMIN_PORT /);
  expect(listenMistake(null, config, 'ADMIN_')).toBeUndefined();
});
