import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { redisUrlMistake } from '../../src/lib/redis-url.ts';

it.each([
  'redis://host',
  'redis://host:6379/',
  'rediss://host:6379/15',
  'redis://[::1]:6379',
  'redis://:secret@host',
  'redis://user:a%2Fb%23c%3Fd%25e%40f@host:6379/0',
  'redis://user:a+b!c~d=e@host:6379/0?family=6',
])('takes %s', (url) => {
  expect(redisUrlMistake(url)).toBeUndefined();
});

it.each([
  ['http://host', /`rediss:/],
  ['redis://user:hush/hush@host:6379', /%2F/],
  ['redis://user:12/hush@host:6379', /%2F/],
  ['redis://user:hush#hush@host:6379', /%23/],
  ['redis://user:12#hush@host:6379', /%23/],
  ['redis://user:12?hush@host:6379', /%3F/],
  ['redis://user:50%hush@host:6379', /%25/],
  ['redis://host:6379/hush', /`redis:/],
])('refuses %s, says what to do, and nothing of the password', (url, cure) => {
  expect(redisUrlMistake(url)).toMatch(cure);
  const read = (): unknown => readConfig({ QUEUE: 'bullmq', REDIS_URL: url });
  expect(read).toThrow(cure);
  expect(read).not.toThrow(/hush/);
});
