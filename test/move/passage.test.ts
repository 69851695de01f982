// What both places of a move say of it, wherever it is broken off.

import { beforeEach, describe, expect, it } from 'vitest';
import type { End, Marker } from '../../src/move/marker.ts';
import { beginMove, endMove, giveUpMove, openTarget } from '../../src/move/passage.ts';
import type { PassageOptions } from '../../src/move/passage.ts';

interface Kept extends End {
  now: Marker;
  /** Writes that still succeed: the next one finds us killed. */
  left: number;
}

function end(): Kept {
  return {
    now: {},
    left: Infinity,
    async read() {
      return this.now;
    },
    async write(marker) {
      if (this.left-- <= 0) throw new Error('killed');
      this.now = JSON.parse(JSON.stringify(marker)) as Marker;
    },
  };
}

let folder: Kept;
let fleet: Kept;
let isFilled: boolean;
beforeEach(() => {
  [folder, fleet, isFilled] = [end(), end(), false];
});
const isEmpty = async (): Promise<boolean> => !isFilled;
const NOW = new Date('2026-11-23T01:02:03.000Z');
const AT = NOW.toISOString();
const LEFT = { fleet: { queue: AT, store: AT }, embedded: {} };

describe.each(['fleet', 'embedded'] as const)('to %s', (to) => {
  let passage: PassageOptions;
  let source: Kept;
  let target: Kept;
  beforeEach(() => {
    passage = { to, folder, fleet, documents: true };
    [source, target] = to === 'fleet' ? [folder, fleet] : [fleet, folder];
  });
  const begin = (): Promise<void> => beginMove({ ...passage, isEmpty });

  it('closes both, and opens the new one when the old one is closed for good', async () => {
    await begin();
    expect(source.now).toEqual({ id: expect.any(String), moving: to });
    expect(target.now).toEqual(source.now);
    await endMove(passage, LEFT[to], NOW);
    expect(source.now).toMatchObject({ queue: AT });
    expect([source.now.moving, target.now.moving, target.now.queue]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    isFilled = true;
    await expect(begin()).rejects.toThrow('The jobs were moved elsewhere on 2026-11-23T01:02:03.000Z');
  });

  it('is the same move when it was killed in between, and goes on', async () => {
    target.left = 0;
    await expect(begin()).rejects.toThrow('killed');
    const { id } = source.now;
    expect(id).toBeDefined();
    target.left = Infinity;
    await begin();
    isFilled = true;
    await begin();
    expect([source.now, target.now]).toEqual([
      { id, moving: to },
      { id, moving: to },
    ]);
    target.left = 0;
    await expect(endMove(passage, LEFT[to], NOW)).rejects.toThrow('killed');
    expect(source.now).toMatchObject({ id, queue: AT });
    expect(target.now).toEqual({ id, moving: to });
    target.left = Infinity;
    if (to === 'fleet') await openTarget(passage);
    else {
      await begin();
      await endMove(passage, LEFT[to], NOW);
    }
    expect(target.now.moving).toBeUndefined();
  });

  it('never mixes with what another move has left there', async () => {
    await begin();
    isFilled = true;
    expect(await giveUpMove(passage)).toBe(true);
    expect(source.now.moving).toBeUndefined();
    expect(target.now.moving).toBe(to);
    // What was changed at the source since would be hidden by what is there.
    await expect(begin()).rejects.toThrow(/has a part of another move\. Set/);
    await openTarget(passage);
    expect(target.now.moving).toBe(to);
    expect(await giveUpMove(passage)).toBe(false);
  });

  it('never mixes with jobs that are there, nor begins while it only looks', async () => {
    isFilled = true;
    await expect(begin()).rejects.toThrow(/has jobs or records of its own/);
    isFilled = false;
    await beginMove({ ...passage, isEmpty, dryRun: true });
    expect([source.now, target.now]).toEqual([{}, {}]);
  });

  it('waits for the end of a move the other way', async () => {
    source.now = { id: 'a', moving: to === 'fleet' ? 'embedded' : 'fleet' };
    await expect(begin()).rejects.toThrow(/A move the other way has not ended/);
  });
});

it('moves files alone, whose jobs are in one folder, and gives that up', async () => {
  isFilled = true;
  const passage: PassageOptions = { to: 'fleet', folder, fleet: undefined, documents: false };
  await beginMove({ ...passage, isEmpty });
  expect(folder.now.moving).toBe('fleet');
  expect(await giveUpMove(passage)).toBe(true);
  expect(folder.now).toEqual({});
  await beginMove({ ...passage, isEmpty });
  await endMove(passage, { queue: undefined, store: AT }, NOW);
  expect(folder.now).toMatchObject({ store: AT });
});

it('moves files alone, whose jobs are in Redis, which nobody works with meanwhile', async () => {
  isFilled = true;
  folder.now = { queue: AT };
  const passage: PassageOptions = { to: 'fleet', folder, fleet, documents: false };
  await beginMove({ ...passage, isEmpty });
  expect([folder.now, fleet.now]).toMatchObject([{ queue: AT, moving: 'fleet' }, { moving: 'fleet' }]);
  await giveUpMove(passage);
  expect([folder.now.moving, fleet.now.moving]).toEqual([undefined, undefined]);
  await beginMove({ ...passage, isEmpty });
  await endMove(passage, { queue: AT, store: AT }, NOW);
  expect(fleet.now).toEqual({});
});
