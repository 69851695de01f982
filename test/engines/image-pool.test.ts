// The pool in front of the threads: order, bounds, memory, deadline, death and the end.

import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Problem } from '../../src/problems.ts';
import { output, own, picture, renderOne, testPool } from './pictures.ts';
import { codeOf, SCRIPTED as entry, stayingImage } from './scripted.ts';
import { WIDTHS } from './scripted-thread.ts';

const small = output({ steps: [{ op: 'resize', width: 16 }], format: 'png' });
let plain: Uint8Array;
beforeAll(async () => {
  plain = await picture(64, 48).jpeg().toBuffer();
});

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
    await using pool = testPool({ entry, queue: 2 });
    const staying = await stayingImage();
    const working = pool.render(own(staying.source), [small]);
    const waiting = [pool.render(own(plain), [small]), pool.render(own(plain), [small])];
    expect(pool.load()).toEqual({ running: 1, waiting: 2, threads: 1 });
    expect(() => pool.admit()).toThrow(expect.objectContaining({ code: 'overloaded' }));
    const refused = await pool.render(own(plain), [small]).catch((error: Problem) => error);
    expect(refused).toMatchObject({ code: 'overloaded', status: 503 });
    expect((refused as Problem).retryAfter).toBeGreaterThanOrEqual(1);
    await staying.begun;
    staying.go();
    await Promise.all([working, ...waiting]);
    expect(() => pool.admit()).not.toThrow();
    expect(pool.load()).toEqual({ running: 0, waiting: 0, threads: 1 });
  });

  it('is no concern of jobs: they wait beside the queue, and all is done in the order in which it came', async () => {
    await using pool = testPool({ entry, queue: 1 });
    const staying = await stayingImage();
    const done: number[] = [];
    const all = [staying.source, plain, plain, plain, plain].map(async (source, index) => {
      await pool.render(own(source), [small], { patient: index !== 2 });
      done.push(index);
    });
    expect(pool.load().waiting).toBe(4);
    expect(() => pool.admit()).toThrow(expect.objectContaining({ code: 'overloaded' }));
    await staying.begun;
    staying.go();
    await Promise.all(all);
    expect(done).toEqual([0, 1, 2, 3, 4]);
  });

  it('does not keep a bad image from being refused', async () => {
    await using pool = testPool({ entry, maxPixels: 5000 });
    const staying = await stayingImage();
    const working = pool.render(own(staying.source), [small]);
    expect(await codeOf(pool.render(own(await picture(80, 80).png().toBuffer()), [small]))).toBe(
      'image_too_large',
    );
    expect(await codeOf(pool.render(own(Buffer.from('text')), [small]))).toBe('media_type_unsupported');
    expect(pool.load()).toMatchObject({ running: 1, waiting: 0 });
    await staying.begun;
    staying.go();
    await working;
  });
});

describe('memory', () => {
  it('makes images wait although threads are free', async () => {
    const staying = await stayingImage();
    const { width, height } = await sharp(staying.source).metadata();
    await using pool = testPool({ entry, threads: 3, memoryBytes: (width * height + 64 * 48) * 4 });
    const first = pool.render(own(staying.source), [small]);
    const second = pool.render(own(plain), [small]);
    const third = pool.render(own(plain), [small]);
    expect(pool.load()).toMatchObject({ running: 2, waiting: 1 });
    await second;
    await third;
    await staying.begun;
    staying.go();
    await first;
  });

  it('lets an image that is larger than all of it run, but alone', async () => {
    await using pool = testPool({ threads: 2, memoryBytes: 1000 });
    const first = pool.render(own(plain), [small]);
    const second = pool.render(own(plain), [small]);
    expect(pool.load()).toMatchObject({ running: 1, waiting: 1 });
    await expect(Promise.all([first, second])).resolves.toHaveLength(2);

    const enlarged = output({ steps: [{ op: 'resize', width: 280, enlarge: true }], format: 'png' });
    await using larger = testPool({ threads: 2, memoryBytes: 64 * 48 * 4 * 4 });
    const both = [larger.render(own(plain), [enlarged]), larger.render(own(plain), [enlarged])];
    expect(larger.load()).toMatchObject({ running: 1, waiting: 1 });
    await Promise.all(both);
  });
});

describe('a client that leaves', () => {
  it('has its waiting work dropped', async () => {
    await using pool = testPool({ entry, queue: 1 });
    const staying = await stayingImage();
    const working = pool.render(own(staying.source), [small]);
    const leaving = new AbortController();
    const source = own(plain);
    const waiting = pool.render(source, [small], { signal: leaving.signal });
    expect(() => pool.admit()).toThrow();
    leaving.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect(pool.load()).toMatchObject({ running: 1, waiting: 0 });
    expect(() => pool.admit()).not.toThrow();
    expect(source.byteLength).toBe(plain.length);
    await staying.begun;
    staying.go();
    await working;
  });

  it('does not wait for its running work, which runs on', async () => {
    await using pool = testPool({ entry });
    const staying = await stayingImage();
    const leaving = new AbortController();
    const working = pool.render(own(staying.source), [small], { signal: leaving.signal });
    leaving.abort(new Error('gone'));
    await expect(working).rejects.toThrow('gone');
    const next = pool.render(own(plain), [small]);
    expect(pool.load()).toMatchObject({ running: 1, waiting: 1 });
    await staying.begun;
    staying.go();
    await expect(next).resolves.toBeDefined();
  });

  it('is not served if it had left before', async () => {
    await using pool = testPool();
    const source = own(plain);
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(pool.render(source, [small], { signal })).rejects.toThrow('gone');
    expect(source.byteLength).toBe(plain.length);
  });
});

describe('a thread that dies', () => {
  it('fails its image, and the pool goes on; what it threw is for the log and not for the client', async () => {
    const log = { error: vi.fn<(details: object, message: string) => void>() };
    await using pool = testPool({ entry, log });
    const exits = await picture(WIDTHS.exits, 9).png().toBuffer();
    expect(await codeOf(renderOne(pool, exits, {}))).toBe('internal_error');
    expect(log.error).toHaveBeenCalledTimes(1);
    expect(await codeOf(pool.render(own(plain), [small]))).toBe('made');
    expect(pool.load()).toMatchObject({ running: 0, waiting: 0 });

    const throws = await picture(WIDTHS.throws, 9).png().toBuffer();
    const error = await renderOne(pool, throws, {}).catch((problem: Problem) => problem);
    expect(error).toMatchObject({ code: 'internal_error' });
    expect((error as Problem).message).not.toContain('secret');
    const logged = log.error.mock.calls.map(([details]) => ((details as { err?: Error }).err ?? {}).message);
    expect(logged.at(-1)).toContain('secret');
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
