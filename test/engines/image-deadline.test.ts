// The hard deadline: a pass of sharp cannot be stopped, so it costs the process, and the file is not let in again.

import { once } from 'node:events';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Hint } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { output, own, picture, testPool } from './pictures.ts';
import { codeOf, newHeight, SCRIPTED as entry, stayingImage } from './scripted.ts';
import { gateOf, WIDTHS } from './scripted-thread.ts';

const small = output({ steps: [{ op: 'resize', width: 16 }], format: 'png' });
let plain: Uint8Array;
beforeAll(async () => {
  plain = await picture(64, 48).jpeg().toBuffer();
});

describe('an image past its deadline', () => {
  it('costs the process, once; the rest is answered, jobs wait on, and the same file is refused everywhere', async () => {
    const onOverrun = vi.fn<() => void>();
    const hints = localHints<Hint>();
    let time = 1_000_000;
    const now = () => time;
    const log = { error: vi.fn<(details: object, message: string) => void>() };
    await using other = testPool({ hints, now });
    const pool = testPool({ entry, deadlineSeconds: 0.2, onOverrun, hints, now, log });

    const staying = await stayingImage();
    const outcomes = [
      pool.render(own(staying.source), [small]),
      pool.render(own(staying.source), [small], { patient: true }),
      pool.render(own(plain), [small]),
    ].map(codeOf);
    const patient = pool.render(own(plain), [small], { patient: true });
    expect(await Promise.all(outcomes)).toEqual(['image_deadline', 'image_quarantined', 'shutting_down']);
    expect(onOverrun).toHaveBeenCalledTimes(1);
    expect(log.error).toHaveBeenCalledWith(
      expect.objectContaining({ width: WIDTHS.waits }),
      expect.any(String),
    );

    expect(() => pool.admit()).toThrow(expect.objectContaining({ code: 'shutting_down', status: 503 }));
    expect(await codeOf(pool.render(own(plain), [small]))).toBe('shutting_down');
    expect(pool.load()).toMatchObject({ running: 1, waiting: 1 });

    expect(await codeOf(other.render(own(staying.source), [small]))).toBe('image_quarantined');
    expect(await codeOf(other.render(own(plain), [small]))).toBe('made');
    time += 11 * 60_000;
    expect(await codeOf(other.render(own(staying.source), [small]))).toBe('made');

    // The thread comes back after all, and the job that waited is done.
    await staying.begun;
    staying.go();
    await patient;
    await pool.close();
  });

  it('is measured by each rendition: the thread shows after every one that it is alive', async () => {
    await using pool = testPool({ entry });
    const height = newHeight();
    const gate = gateOf(height);
    const told = once(gate as unknown as EventTarget, 'message') as Promise<[{ data: number }]>;
    await pool.render(own(await picture(WIDTHS.counts, height).png().toBuffer()), [small, small, small]);
    const [{ data: beats }] = await told;
    gate.close();
    expect(beats).toBeGreaterThanOrEqual(4);
  });

  it('is noticed in real native work, too', async () => {
    const overran = Promise.withResolvers<void>();
    const pool = testPool({ deadlineSeconds: 0.1, onOverrun: overran.resolve });
    const look = { type: 'gaussian', mean: 128, sigma: 60 } as const;
    const heavy = await sharp({
      create: { width: 1000, height: 1000, channels: 3, background: 'gray', noise: look },
    })
      .jpeg()
      .toBuffer();
    expect(await codeOf(pool.render(own(heavy), [output({ format: 'avif', quality: 90 })]))).toBe(
      'image_deadline',
    );
    await overran.promise;
    await pool.close();
  });

  it('does not keep the pool from closing', async () => {
    const overran = Promise.withResolvers<void>();
    const pool = testPool({ entry, deadlineSeconds: 0.1, onOverrun: overran.resolve });
    const staying = await stayingImage();
    const overrun = codeOf(pool.render(own(staying.source), [small]));
    const patient = codeOf(pool.render(own(plain), [small], { patient: true }));
    await overran.promise;
    await pool.close();
    expect(await overrun).toBe('image_deadline');
    expect(await patient).toBe('shutting_down');
    staying.go();
  });
});
