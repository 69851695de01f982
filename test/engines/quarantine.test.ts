// The quarantine: for ten minutes, in every process, and never without bound.

import { describe, expect, it } from 'vitest';
import type { Hint } from '../../src/contracts.ts';
import { Quarantine } from '../../src/engines/quarantine.ts';
import { localHints } from '../../src/lib/local-hints.ts';

describe('quarantine', () => {
  it('lasts ten minutes, here and elsewhere', async () => {
    const hints = localHints<Hint>();
    let time = 5_000_000;
    const now = () => time;
    const heard = Promise.withResolvers<[string, number]>();
    const here = new Quarantine({ hints, now, onMark: () => undefined });
    const there = new Quarantine({ hints, now, onMark: (...mark) => heard.resolve(mark) });
    expect([here.isEmpty, there.isEmpty]).toEqual([true, true]);
    here.add('12-abc');
    expect(await heard.promise).toEqual(['12-abc', 600]);
    for (const place of [here, there]) {
      expect(place.secondsLeft('12-abc')).toBe(600);
      expect(place.secondsLeft('12-abd')).toBeUndefined();
    }
    time += 599_500;
    expect(there.secondsLeft('12-abc')).toBe(1);
    time += 500;
    expect(there.secondsLeft('12-abc')).toBeUndefined();
    expect(there.isEmpty).toBe(true);
  });

  it('forgets the oldest when there are too many, and hears nothing once closed', async () => {
    const hints = localHints<Hint>();
    const quarantine = new Quarantine({ hints, now: Date.now, onMark: () => undefined });
    for (let n = 0; n < 1500; n++) quarantine.add(`${n}-x`);
    expect(quarantine.secondsLeft('0-x')).toBeUndefined();
    expect(quarantine.secondsLeft('1499-x')).toBeGreaterThan(500);
    quarantine.close();
    const told = Promise.withResolvers<void>();
    hints.subscribe(() => told.resolve());
    hints.publish({ topic: 'quarantine', fingerprint: '7-late', until: Date.now() + 60_000 });
    await told.promise;
    expect(quarantine.secondsLeft('7-late')).toBeUndefined();
  });
});
