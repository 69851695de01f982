import { describe, expect, it } from 'vitest';
import { adviceOn, ConfigError, isLoopback, readConfig, settings, threadPoolSize } from '../src/config.ts';

const machine = { cores: 8, memoryBytes: 16 * 1024 ** 3 };

describe('readConfig', () => {
  it('spends the cores once: processes × image threads', () => {
    expect(readConfig({}, machine)).toMatchObject({
      PROCESSES: 8,
      IMAGE_THREADS: 1,
      VIDEO_SLOTS: 4,
      FILM_SLOTS: 2,
      FILM_SECONDS: 120,
      VIDEO_STREAMS: 1,
      HOST: '127.0.0.1',
      PORT: 3000,
    });
    expect(readConfig({ PROCESSES: '2' }, machine)).toMatchObject({ PROCESSES: 2, IMAGE_THREADS: 4 });
    expect(readConfig({ PROCESSES: '16' }, machine)).toMatchObject({ PROCESSES: 16, IMAGE_THREADS: 1 });
    expect(readConfig({}, { cores: 1, memoryBytes: 1 })).toMatchObject({
      PROCESSES: 1,
      VIDEO_SLOTS: 1,
      FILM_SLOTS: 1,
      VIDEO_STREAMS: 1,
    });
  });

  it('gives films half the places of short videos, and streams as many in all processes together', () => {
    expect(readConfig({ VIDEO_SLOTS: '7' }, machine)).toMatchObject({ FILM_SLOTS: 3, VIDEO_STREAMS: 1 });
    const three = { VIDEO_SLOTS: '7', PROCESSES: '3', VIDEO_STREAMS: 'auto' };
    expect(readConfig(three, machine)).toMatchObject({ VIDEO_STREAMS: 2 });
    expect(readConfig({ PROCESSES: '1' }, machine)).toMatchObject({ VIDEO_STREAMS: 4 });
    expect(readConfig({ VIDEO_SLOTS: '1', FILM_SLOTS: 'auto' }, machine)).toMatchObject({ FILM_SLOTS: 1 });
    expect(readConfig({ VIDEO_SLOTS: '7', FILM_SLOTS: '9', VIDEO_STREAMS: '2' }, machine)).toMatchObject({
      VIDEO_SLOTS: 7,
      FILM_SLOTS: 9,
      VIDEO_STREAMS: 2,
    });
  });

  it.each([
    ['FILM_SLOTS', ['0', '257', '1.5']],
    ['FILM_SECONDS', ['0', '604801']],
    ['VIDEO_STREAMS', ['0', '257']],
    ['S3_REGION', ['eu west', 'eu_west', '-', 'eu-west-1.', 'e'.repeat(64)]],
  ])('refuses a %s of %j', (name, values) => {
    for (const value of values) expect(() => readConfig({ [name]: value }, machine), value).toThrow(name);
  });

  it('takes auto and empty as not given', () => {
    expect(readConfig({ PROCESSES: 'auto', PORT: '' }, machine)).toMatchObject({ PROCESSES: 8, PORT: 3000 });
  });

  it('tells all mistakes together, each with what is there', () => {
    const read = (): unknown =>
      readConfig({ PORT: '70000', PROCESSES: 'many', LOG_LEVEL: 'loud', TRUST_PROXY: 'perhaps' }, machine);
    expect(read).toThrow(ConfigError);
    for (const text of ['PORT', '"70000"', 'PROCESSES', '"many"', 'LOG_LEVEL', '"loud"', 'TRUST_PROXY'])
      expect(read).toThrow(text);
  });

  it('never repeats a secret, and reads lists', () => {
    const secret = 'not-hex'.repeat(9);
    const read = (): unknown => readConfig({ URL_KEYS: `one:${secret}`, PORT: '70000' }, machine);
    expect(read).toThrow('URL_KEYS: entry 1 is not id:secret');
    expect(read).not.toThrow(secret);
    expect(() => readConfig({ REMOTE_SOURCES: 'http://example.com' }, machine)).toThrow(
      'REMOTE_SOURCES: "http://example.com" is not https',
    );
    const { URL_KEYS, REMOTE_SOURCES } = readConfig(
      { URL_KEYS: `one:${'00'.repeat(32)}`, REMOTE_SOURCES: 'example.com' },
      machine,
    );
    expect(URL_KEYS?.map(({ id }) => id)).toEqual(['one']);
    expect(REMOTE_SOURCES?.(new URL('https://example.com/'))).toBe(true);
  });

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.org', '127.0.0.1.example.org'])(
    'knows that %s is reachable from elsewhere',
    (HOST) => {
      expect(isLoopback(readConfig({ HOST }, machine).HOST)).toBe(false);
    },
  );

  it.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost'])('knows that %s is not', (HOST) => {
    expect(isLoopback(readConfig({ HOST }, machine).HOST)).toBe(true);
  });

  it('leaves libuv threads for files beside the image threads', () => {
    expect(threadPoolSize({ IMAGE_THREADS: 3 })).toBe(7);
  });

  it('lets machines share the work only where they share the files', () => {
    const redis = { QUEUE: 'bullmq', REDIS_URL: 'redis://localhost' };
    const bucket = { STORE: 's3', S3_BUCKET: 'bucket' };
    for (const part of [{ ROLES: 'web' }, { ROLES: 'work' }, { LANES: 'image,video,film,fetch' }]) {
      expect(() => readConfig({ ...redis, ...part }, machine)).toThrow('STORE: must be `s3`');
      expect(readConfig({ ...redis, ...bucket, ...part }, machine).STORE).toBe('s3');
    }
    expect(adviceOn(readConfig(redis, machine))).toEqual([expect.stringContaining('STORE=s3')]);
    expect(adviceOn(readConfig({ ...redis, ...bucket }, machine))).toEqual([]);
    expect(adviceOn(readConfig({}, machine))).toEqual([]);
    for (const [ROLES, said] of [
      ['web', [expect.stringContaining('LANES=film,chunk does nothing')]],
      ['web,work', []],
    ] as const)
      expect(adviceOn(readConfig({ ...redis, ...bucket, ROLES, LANES: 'film,chunk' }, machine))).toEqual(
        said,
      );
    expect(adviceOn(readConfig({ ...redis, ...bucket, ROLES: 'web' }, machine))).toEqual([]);
  });

  it('documents every setting', () => {
    for (const [name, schema] of Object.entries(settings)) expect(schema.description, name).toMatch(/.{10}/);
  });
});
