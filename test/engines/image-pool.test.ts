// The pool in front of the threads: order, bounds, memory, deadline, death and the end.

import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Hint } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { Problem } from '../../src/problems.ts';
import { output, own, picture, renderOne, testPool } from './pictures.ts';

const DYING = new URL('dying-thread.ts', import.meta.url);

const small = output({ steps: [{ op: 'resize', width: 16 }], format: 'png' });
/** Some seconds of work in one pass of sharp: what has begun stays until the test has done its part. */
const slow = output({ format: 'avif' });
let noisy: Uint8Array;
let plain: Uint8Array;
let tiny: Uint8Array;

beforeAll(async () => {
  noisy = await noise(1400, 1400);
  plain = await picture(64, 48).jpeg().toBuffer();
  tiny = await picture(13, 9).png().toBuffer();
});

function noise(width: number, height: number): Promise<Buffer> {
  const look = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  return sharp({ create: { width, height, channels: 3, background: 'gray', noise: look } })
    .jpeg({ quality: 90 })
    .toBuffer();
}

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'made',
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );

describe('the source', () => {
  it('is moved to the thread and not copied', async () => {
    await using pool = testPool();
    const source = own(plain);
    const { buffer } = source;
    const rendering = pool.render(source, [small]);
    expect(buffer.detached).toBe(true);
    expect(source.byteLength).toBe(0);
    const { images, queueMs, processMs } = await rendering;
    expect(images[0]?.data.byteLength).toBe(images[0]?.data.buffer.byteLength);
    expect(queueMs).toBeGreaterThanOrEqual(0);
    expect(processMs).toBeGreaterThan(0);
  });

  it('may be a part of a larger ArrayBuffer of its own, or one of the small Buffers that Node pools', async () => {
    await using pool = testPool();
    const wide = new Uint8Array(plain.length + 5000);
    wide.set(plain, 0);
    const pooled = Buffer.from(
      Buffer.from(await picture(20, 10).png().toBuffer()).toString('base64'),
      'base64',
    );
    expect(pooled.buffer.byteLength).toBeGreaterThan(pooled.byteLength);
    await expect(pool.render(wide.subarray(0, plain.length), [small])).resolves.toBeDefined();
    await expect(pool.render(pooled, [small])).resolves.toBeDefined();
    expect(Buffer.from('still there').toString()).toBe('still there');
  });
});

describe('too much at once', () => {
  it('is refused at once, with a time to come back', async () => {
    await using pool = testPool({ queue: 2 });
    const working = pool.render(own(noisy), [slow]);
    const waiting = [pool.render(own(plain), [small]), pool.render(own(plain), [small])];
    expect(pool.load()).toEqual({ running: 1, waiting: 2, threads: 1 });
    expect(() => pool.admit()).toThrow(expect.objectContaining({ code: 'overloaded' }));
    const refused = await pool.render(own(plain), [small]).catch((error: Problem) => error);
    expect(refused).toMatchObject({ code: 'overloaded', status: 503 });
    expect((refused as Problem).retryAfter).toBeGreaterThanOrEqual(1);
    await Promise.all([working, ...waiting]);
    expect(() => pool.admit()).not.toThrow();
    expect(pool.load()).toEqual({ running: 0, waiting: 0, threads: 1 });
  });

  it('is no concern of jobs: they wait beside the queue', async () => {
    await using pool = testPool({ queue: 0 });
    const working = pool.render(own(noisy), [slow]);
    expect(() => pool.admit()).toThrow(expect.objectContaining({ code: 'overloaded' }));
    const patient = [1, 2, 3].map(() => pool.render(own(plain), [small], { patient: true }));
    expect(pool.load().waiting).toBe(3);
    await expect(Promise.all([working, ...patient])).resolves.toHaveLength(4);
  });

  it('is done in the order in which it came', async () => {
    await using pool = testPool();
    const done: number[] = [];
    await Promise.all(
      [0, 1, 2, 3, 4].map(async (n) => {
        await pool.render(own(plain), [small], { patient: n % 2 === 0 });
        done.push(n);
      }),
    );
    expect(done).toEqual([0, 1, 2, 3, 4]);
  });

  it('a bad image is refused although no thread is free', async () => {
    await using pool = testPool({ maxPixels: 2_000_000 });
    const working = pool.render(own(noisy), [output({ format: 'webp' })]);
    expect(await codeOf(pool.render(own(await noise(1500, 1500)), [small]))).toBe('image_too_large');
    expect(await codeOf(pool.render(own(Buffer.from('text')), [small]))).toBe('media_type_unsupported');
    expect(pool.load()).toMatchObject({ running: 1, waiting: 0 });
    await working;
  });
});

describe('memory', () => {
  const bytesOf = (width: number, height: number) => width * height * 4;

  it('makes images wait although threads are free', async () => {
    await using pool = testPool({ threads: 3, memoryBytes: bytesOf(1400, 1400) + bytesOf(64, 48) });
    const first = pool.render(own(noisy), [slow]);
    const second = pool.render(own(plain), [small]);
    const third = pool.render(own(plain), [small]);
    expect(pool.load()).toMatchObject({ running: 2, waiting: 1 });
    await second;
    await third;
    await first;
  });

  it('lets an image that is larger than all of it run alone', async () => {
    await using pool = testPool({ threads: 2, memoryBytes: 1000 });
    const first = pool.render(own(plain), [small]);
    const second = pool.render(own(plain), [small]);
    expect(pool.load()).toMatchObject({ running: 1, waiting: 1 });
    await expect(Promise.all([first, second])).resolves.toHaveLength(2);
  });

  it('counts what is made as well as what comes', async () => {
    await using pool = testPool({ threads: 2, memoryBytes: bytesOf(300, 300) });
    const large = output({ steps: [{ op: 'resize', width: 280, enlarge: true }], format: 'png' });
    const both = [pool.render(own(plain), [large]), pool.render(own(plain), [large])];
    expect(pool.load()).toMatchObject({ running: 1, waiting: 1 });
    await Promise.all(both);
  });
});

describe('a client that leaves', () => {
  it('has its waiting work dropped', async () => {
    await using pool = testPool({ queue: 1 });
    const working = pool.render(own(noisy), [slow]);
    const leaving = new AbortController();
    const source = own(plain);
    const waiting = pool.render(source, [small], { signal: leaving.signal });
    expect(() => pool.admit()).toThrow();
    leaving.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(pool.load()).toMatchObject({ running: 1, waiting: 0 });
    expect(() => pool.admit()).not.toThrow();
    expect(source.byteLength).toBe(plain.length);
    await working;
  });

  it('does not wait for its running work, which runs on', async () => {
    await using pool = testPool();
    const leaving = new AbortController();
    const working = pool.render(own(noisy), [slow], { signal: leaving.signal });
    leaving.abort(new Error('gone'));
    await expect(working).rejects.toThrow('gone');
    expect(pool.load().running).toBe(1);
    await expect(pool.render(own(plain), [small])).resolves.toBeDefined();
  });

  it('is not served if it had left before', async () => {
    await using pool = testPool();
    const source = own(plain);
    await expect(
      pool.render(source, [small], { signal: AbortSignal.abort(new Error('gone')) }),
    ).rejects.toThrow('gone');
    expect(source.byteLength).toBe(plain.length);
  });
});

describe('an image past its deadline', () => {
  it('costs the process, once; the rest is answered, jobs wait on, and the same file is refused everywhere', async () => {
    const onOverrun = vi.fn<() => void>();
    const hints = localHints<Hint>();
    let time = 1_000_000;
    const log = { error: vi.fn<(details: object, message: string) => void>() };
    await using other = testPool({ hints, now: () => time });
    const pool = testPool({ deadlineSeconds: 0.25, onOverrun, hints, now: () => time, log });
    await pool.render(own(plain), [small]);

    const overrun = pool.render(own(noisy), [slow]);
    const alike = pool.render(own(noisy), [small], { patient: true });
    const impatient = pool.render(own(plain), [small]);
    const patient = pool.render(own(plain), [small], { patient: true });
    const outcomes = Promise.all([overrun, alike, impatient].map(codeOf));
    expect(await outcomes).toEqual(['image_deadline', 'image_quarantined', 'shutting_down']);
    expect(onOverrun).toHaveBeenCalledTimes(1);
    expect(log.error).toHaveBeenCalledWith(expect.objectContaining({ width: 1400 }), expect.any(String));

    expect(() => pool.admit()).toThrow(expect.objectContaining({ code: 'shutting_down', status: 503 }));
    expect(await codeOf(pool.render(own(plain), [small]))).toBe('shutting_down');
    expect(pool.load()).toMatchObject({ running: 1, waiting: 1 });

    expect(await codeOf(other.render(own(noisy), [small]))).toBe('image_quarantined');
    expect(await codeOf(other.render(own(plain), [small]))).toBe('made');
    time += 11 * 60_000;
    expect(await codeOf(other.render(own(noisy), [small]))).toBe('made');

    // The thread came back after all, and the job that waited is done.
    await patient;
    await pool.close();
  });

  it('does not keep the pool from closing', async () => {
    const overran = Promise.withResolvers<void>();
    const pool = testPool({ deadlineSeconds: 0.2, onOverrun: overran.resolve });
    await pool.render(own(plain), [small]);
    const overrun = codeOf(pool.render(own(noisy), [slow]));
    const patient = codeOf(pool.render(own(plain), [small], { patient: true }));
    await overran.promise;
    await pool.close();
    expect(await overrun).toBe('image_deadline');
    expect(await patient).toBe('shutting_down');
  });

  it('is measured by each rendition, and not by all of a job together', async () => {
    const onOverrun = vi.fn<() => void>();
    await using pool = testPool({ deadlineSeconds: 1.5, onOverrun });
    const source = await noise(900, 900);
    const begun = performance.now();
    let count = 8;
    // As many as take clearly longer than the deadline together, whatever the machine.
    const one = await pool.render(own(source), [output({ format: 'webp' })]);
    count = Math.min(50, Math.ceil(3000 / one.processMs));
    const { images } = await pool.render(
      own(source),
      Array.from({ length: count }, () => output({ format: 'webp' })),
    );
    expect(images).toHaveLength(count);
    expect(performance.now() - begun).toBeGreaterThan(1500);
    expect(onOverrun).not.toHaveBeenCalled();
  });
});

describe('a thread that dies', () => {
  it('fails its image, and the pool goes on', async () => {
    const log = { error: vi.fn<(details: object, message: string) => void>() };
    await using pool = testPool({ entry: DYING, log });
    expect(await codeOf(renderOne(pool, tiny, {}))).toBe('internal_error');
    expect(log.error).toHaveBeenCalledTimes(1);
    expect(await codeOf(pool.render(own(plain), [small]))).toBe('made');
    expect(pool.load()).toMatchObject({ running: 0, waiting: 0 });
  });

  it('tells the log and not the client what was thrown', async () => {
    const log = { error: vi.fn<(details: object, message: string) => void>() };
    await using pool = testPool({ entry: DYING, log });
    const source = await picture(17, 9).png().toBuffer();
    const error = await renderOne(pool, source, {}).catch((e: Problem) => e);
    expect(error).toMatchObject({ code: 'internal_error' });
    expect((error as Problem).message).not.toContain('secret');
    expect(
      JSON.stringify(log.error.mock.calls, (_, value: unknown) =>
        value instanceof Error ? value.message : value,
      ),
    ).toContain('secret');
  });

  it('is said, and waited for by nobody, if it cannot even be started', async () => {
    const log = { error: vi.fn<(details: object, message: string) => void>() };
    await using pool = testPool({ entry: new URL('no-such-thread.ts', import.meta.url), log });
    expect(await codeOf(pool.render(own(plain), [small]))).toBe('internal_error');
    expect(await codeOf(pool.render(own(plain), [small]))).toBe('internal_error');
    expect(log.error).toHaveBeenCalled();
  });
});

describe('close', () => {
  it('waits for what runs and what waits, takes nothing new, and may be called twice', async () => {
    const pool = testPool();
    const work = [pool.render(own(plain), [small]), pool.render(own(plain), [small], { patient: true })];
    const closed = Promise.all([pool.close(), pool.close()]);
    expect(() => pool.admit()).toThrow(expect.objectContaining({ code: 'shutting_down' }));
    expect(await codeOf(pool.render(own(plain), [small], { patient: true }))).toBe('shutting_down');
    await expect(Promise.all(work)).resolves.toHaveLength(2);
    await closed;
  });
});
