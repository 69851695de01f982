// What a caller of Redis may rely on while Redis is away, and when it comes back.

import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { Problem } from '../../src/problems.ts';
import { ConfigError } from '../../src/config.ts';
import { closeRedis, connectRedis, isNotSent, unreachable } from '../../src/redis/connection.ts';
import type { Redis, RedisConnectOptions } from '../../src/redis/connection.ts';
import { openRedis } from '../../src/redis/open.ts';
import { scriptsOf } from '../../src/redis/scripts.ts';
import { sharedClock } from '../../src/redis/clock.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

let server: TestRedis;
const said: { readonly fields: object; readonly message: string }[] = [];
const log = { warn: (fields: object, message: string): void => void said.push({ fields, message }) };
const opened: Redis[] = [];
const connect = (options: Partial<RedisConnectOptions> = {}): Redis => {
  const redis = connectRedis({ url: server.url, name: 'test', log, ...options });
  opened.push(redis);
  return redis;
};

beforeEach(async () => {
  said.length = 0;
  server = await startRedis();
});
afterEach(async () => {
  for (const redis of opened.splice(0)) redis.disconnect();
  await server[Symbol.asyncDispose]();
});

/** Unlike `once` of node:events, an error in between does not matter. */
const happens = (redis: Redis, event: string): Promise<void> =>
  new Promise((resolve) => redis.once(event, () => resolve()));
const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

it('carries nothing out late that was given up', async () => {
  const redis = connect({ commandTimeout: 1000 });
  const { add } = scriptsOf(redis, { add: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
  expect(await add(['count'], [1])).toBe(1);
  await Promise.all([happens(redis, 'close'), server.stop()]);
  const errors = await Promise.all([
    failure(redis.incr('count')),
    failure(add(['count'], [1])),
    failure(redis.multi().incr('count').incr('count').exec()),
  ]);
  for (const error of errors) {
    expect(isNotSent(error)).toBe(true);
    expect(unreachable(error)).toMatchObject({ code: 'backend_unavailable' });
  }
  await Promise.all([happens(redis, 'ready'), server.start()]);
  expect(await redis.get('count')).toBe('1');
  expect(await add(['count'], [1])).toBe(2);
});

it('lets calls wait for Redis, in their order', async () => {
  const redis = connect();
  await redis.set('count', '1');
  await Promise.all([happens(redis, 'close'), server.stop()]);
  const copy = redis.duplicate().on('error', () => undefined);
  opened.push(copy);
  const calls = [
    redis.incr('count'),
    redis.multi().incr('count').incr('count').exec(),
    // Another connection, which may be there sooner or later.
    copy.incr('copied'),
    redis.incr('count'),
  ] as const;
  await server.start();
  const [first, both, copied, last] = await Promise.all(calls);
  expect([first, copied, last]).toEqual([2, 1, 5]);
  expect(both).toEqual([
    [null, 3],
    [null, 4],
  ]);
  expect(await redis.get('count')).toBe('5');
});

it('rejects what was under way when the connection broke, blocking or not', async () => {
  const redis = connect({ commandTimeout: 0 });
  const copy = redis.duplicate();
  opened.push(copy);
  const blocked = failure(redis.blpop('never', 0));
  const other = failure(copy.blpop('never', 0));
  const clients = connect();
  await expect.poll(() => clients.client('LIST')).toMatch(/cmd=blpop[^]*cmd=blpop/);
  await server.stop('SIGKILL');
  for (const error of await Promise.all([blocked, other])) {
    expect(isNotSent(error)).toBe(false);
    const problem = unreachable(error);
    expect(problem).toMatchObject({ code: 'backend_unavailable' });
    expect((problem as Problem).message).toContain('may have been done');
  }
  await server.start();
  await clients.lpush('never', 'once');
  expect(await redis.blpop('never', 1)).toEqual(['never', 'once']);
});

it('makes the connection anew where a link was cut and says nothing', async () => {
  // Between: lets bytes through until it is told to swallow them.
  let isCut = false;
  const links = new Set<Socket>();
  const between = createServer((from) => {
    const to = new URL(server.url);
    const onward = createConnection(Number(to.port), to.hostname);
    links.add(from).add(onward);
    const swallows = isCut;
    from.on('data', (bytes) => void (isCut && !swallows ? undefined : onward.write(bytes)));
    onward.on('data', (bytes) => void (isCut && !swallows ? undefined : from.write(bytes)));
    for (const [one, two] of [
      [from, onward],
      [onward, from],
    ] as const) {
      one.on('error', () => two.destroy()).on('close', () => two.destroy());
    }
  });
  between.listen(0, '127.0.0.1');
  await once(between, 'listening');
  try {
    const url = `redis://127.0.0.1:${(between.address() as AddressInfo).port}`;
    const redis = connect({ url, commandTimeout: 200 });
    expect(await redis.ping()).toBe('PONG');
    isCut = true;
    const closed = happens(redis, 'close');
    expect(isNotSent(await failure(redis.ping()))).toBe(false);
    await closed;
    expect(await redis.ping()).toBe('PONG');
  } finally {
    for (const link of links) link.destroy();
    between.close();
    await once(between, 'close');
  }
});

it('closes at once though Redis is away, and takes no calls afterwards', async () => {
  const redis = connect();
  await redis.ping();
  await Promise.all([happens(redis, 'close'), server.stop()]);
  const waiting = failure(redis.ping());
  await closeRedis(redis);
  await closeRedis(redis);
  expect(isNotSent(await waiting)).toBe(true);
  expect(isNotSent(await failure(redis.ping()))).toBe(true);
});

it('says once that Redis is lost, and that it is back', async () => {
  const redis = connect();
  await redis.ping();
  await Promise.all([happens(redis, 'close'), server.stop()]);
  await happens(redis, 'error');
  await happens(redis, 'error');
  await Promise.all([happens(redis, 'ready'), server.start()]);
  expect(said.map(({ message }) => message)).toEqual(['Redis cannot be reached', 'Redis is reached again']);
});

it('leaves the mistakes of a script as they are, without what was sent', async () => {
  const redis = connect();
  const { wrong } = scriptsOf(redis, { wrong: "return redis.call('NONSENSE', ARGV[1])" });
  const error = await failure(wrong([], ['secret']));
  expect(unreachable(error)).toBe(error);
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('secret');
});

it('looks anew for the primary when the one that it knows has become a replica', async () => {
  const redis = connect();
  await redis.set('count', '1');
  await redis.replicaof('127.0.0.1', 1);
  const closed = happens(redis, 'close');
  const error = await failure(redis.incr('count'));
  expect(unreachable(error)).toMatchObject({ code: 'backend_unavailable' });
  await closed;
  await redis.replicaof('NO', 'ONE');
  expect(await redis.incr('count')).toBe(2);
});

it.each([
  ['READONLY', true],
  ['OOM', false],
])('knows a refused write (%s) in a script of a Redis before 7', async (word, looksAnew) => {
  const redis = connect();
  // As Redis 6.2 words it; one of 7 is made to.
  const text = `ERR Error running script (call to f_c0ffee): @user_script:1: @user_script: 1: -${word} that is why`;
  const { refuse } = scriptsOf(redis, { refuse: 'return redis.error_reply(ARGV[1])' });
  const id = await redis.client('ID');
  const problem = unreachable(await failure(refuse([], [text])));
  expect(problem).toMatchObject({ code: 'backend_unavailable' });
  expect((problem as Problem).message).toContain(`Redis takes no writes: ${word}. Nothing was done.`);
  expect((await redis.client('ID')) !== id).toBe(looksAnew);
  const other = await failure(refuse([], ['ERR no such thing as OOM']));
  expect(unreachable(other)).toBe(other);
});

it('tells the time of Redis, whatever the clock of this machine says', async () => {
  const redis = connect();
  const wrong = vi.spyOn(Date, 'now').mockReturnValue(0);
  onTestFinished(() => wrong.mockRestore());
  using clock = await sharedClock(redis);
  const before = Number((await redis.time())[0]) * 1000;
  expect(clock.now()).toBeGreaterThan(before - 1000);
  expect(clock.now()).toBeLessThan(before + 60_000);
});

it('opens one that is fit, and warns of what would lose jobs', async () => {
  const options = { name: 'test', log, advise: true };
  await closeRedis(await openRedis({ url: server.url, ...options }));
  expect(said).toEqual([]);
  await using careless = await startRedis(['--appendonly', 'no', '--maxmemory-policy', 'allkeys-lru']);
  await closeRedis(await openRedis({ url: careless.url, ...options }));
  expect(said.map(({ message }) => message)).toEqual([
    expect.stringContaining('noeviction'),
    expect.stringContaining('appendonly'),
  ]);
});

it('takes no address that ends within a password, and does not say it', async () => {
  for (const url of ['redis://me:hush/hush@127.0.0.1:1', 'redis://me:50%hush@127.0.0.1:1']) {
    const error = (await failure(openRedis({ url, name: 'test', log }))) as Error;
    expect(error).toBeInstanceOf(ConfigError);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('hush');
  }
});

it('fails to open as an outage where Redis breaks off while it is looked at', async () => {
  // Sets connections up, and leaves at the first question behind.
  const between = createServer((link) => {
    const onward = createConnection(server.port, '127.0.0.1');
    let questions = 0;
    link.on('data', (bytes) => {
      questions += String(bytes).toLowerCase().split('\r\ninfo\r\n').length - 1;
      if (questions > 1) link.destroy();
      else onward.write(bytes);
    });
    onward.on('data', (bytes) => link.write(bytes)).on('error', () => undefined);
    link.on('close', () => onward.destroy()).on('error', () => undefined);
  });
  between.listen(0, '127.0.0.1');
  await once(between, 'listening');
  onTestFinished(() => void between.close());
  const url = `redis://127.0.0.1:${(between.address() as AddressInfo).port}`;
  expect(await failure(openRedis({ url, name: 'test', log }))).toMatchObject({ code: 'backend_unavailable' });
});

it('says that TLS may be missing where it was asked for and no answer came', async () => {
  const url = server.url.replace('redis:', 'rediss:');
  const error = (await failure(openRedis({ url, name: 'test', log, patience: 200 }))) as Error;
  expect(error.message).toMatch(/no answer\).* With rediss:\/\/ it is asked for TLS/);
  await server.stop();
  const away = (await failure(openRedis({ url, name: 'test', log, patience: 200 }))) as Error;
  expect(away.message).toMatch(/ECONNREFUSED.*correct REDIS_URL\.$/);
});

it('fails to open with host and port, and never the password', async () => {
  await server.stop();
  const opening = openRedis({
    url: server.url.replace('//', '//me:hush-hush@'),
    name: 'test',
    log,
    patience: 150,
  });
  const away = (await failure(opening)) as Error;
  expect(away).toMatchObject({ code: 'backend_unavailable' });
  expect(away.message).toMatch(new RegExp(`at 127\\.0\\.0\\.1:${server.port} .*ECONNREFUSED`));
  await using locked = await startRedis(['--requirepass', 'right-one']);
  const wrong = openRedis({ url: locked.url.replace('//', '//:hush-hush@'), name: 'test', log });
  const refused = (await failure(wrong)) as Error;
  expect(refused).toBeInstanceOf(ConfigError);
  expect(refused.message).toMatch(/refuses us: it does not know the user or the password of REDIS_URL\.$/);
  const none = (await failure(openRedis({ url: locked.url, name: 'test', log }))) as Error;
  expect(none.message).toMatch(
    /refuses us: it asks for a password: put it into REDIS_URL \(redis:\/\/user:password@host\)\.$/,
  );
  const beyond = locked.url.replace('//', '//:right-one@') + '/99';
  const absent = (await failure(openRedis({ url: beyond, name: 'test', log }))) as Error;
  expect(absent.message).toMatch(/refuses us: ERR DB index is out of range: see REDIS_URL\.$/);
  expect(said.map(({ message }) => message)).toEqual([
    'Redis cannot be reached',
    ...Array.from({ length: 3 }, () => 'Redis refuses us'),
  ]);
  for (const { fields } of said) expect(JSON.stringify(fields)).not.toContain('hush');
  for (const error of [away, refused]) expect(String(error.stack)).not.toContain('hush');
  const right = await openRedis({ url: locked.url.replace('//', '//:right-one@'), name: 'test', log });
  await closeRedis(right);
});
