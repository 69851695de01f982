// The policy of the primary, table by table: how processes start, and what is done when one dies or is stuck.

import { describe, expect, test } from 'vitest';
import { START_ATTEMPTS, SUPERVISION } from '../../src/cluster/supervision.ts';
import { DRAIN, serving, Supervised } from './supervised.ts';

const {
  stable,
  start: startTime,
  overrun: overrunTime,
  margin,
  longestBackoff,
  longestUnavailable,
} = SUPERVISION;

describe('start', () => {
  test('the first process goes ahead; the others follow when it is ready', () => {
    const all = new Supervised(3);
    expect(all.pass(0)).toEqual(['fork 1 in 0']);
    expect(all.pass(10)).toEqual([]);
    expect(all.ready(1)).toEqual(['fork 2 in 1', 'fork 3 in 2']);
    expect(all.ready(3)).toEqual([]);
    expect(all.ready(2)).toEqual(['announce']);
    expect(all.wait).toBeNull();
  });

  test('gives up when no process could start', () => {
    const all = new Supervised();
    expect(all.pass(0)).toEqual(['fork 1 in 0']);
    expect(all.died(1)).toEqual([]);
    expect(all.wait).toBe(100);
    expect(all.pass(99)).toEqual([]);
    expect(all.pass(1)).toEqual(['fork 2 in 0']);
    expect(all.died(2)).toEqual([]);
    expect(all.pass(200)).toEqual(['fork 3 in 0']);
    const last = all.all({ type: 'exited', process: 3, code: 1, signal: null });
    expect(START_ATTEMPTS).toBe(3);
    expect(last.at(-1)).toEqual({ type: 'exit', code: 1 });
    expect(last).toContainEqual(expect.objectContaining({ type: 'log', level: 'fatal' }));
    expect(all.pass(60_000)).toEqual([]);
    expect(all.reload()).toEqual([]);
  });

  test('does not give up once something was served', () => {
    const all = new Supervised(1);
    all.pass(0);
    all.died(1);
    all.pass(100);
    all.died(2);
    all.pass(200);
    expect(all.ready(3)).toEqual(['abandon 1', 'abandon 2', 'announce']);
    for (let id = 3; id < 20; id += 1) {
      expect(all.died(id)).toEqual([]);
      expect(all.pass(all.wait ?? 0)).toEqual([`fork ${id + 1} in 0`]);
    }
  });

  test('a process that does not become ready is killed, and counts as a failed start', () => {
    const all = new Supervised(1);
    all.pass(0);
    expect(all.wait).toBe(startTime);
    expect(all.pass(startTime)).toEqual(['kill 1']);
    expect(all.pass(1000)).toEqual([]);
    expect(all.died(1)).toEqual([]);
    expect(all.pass(100)).toEqual(['fork 2 in 0']);
  });
});

describe('Redis or S3 away', () => {
  test('nobody gives up, and the waits stay short', () => {
    const all = new Supervised(2);
    all.pass(0);
    for (let id = 1; id <= 20; id += 1) {
      // Nothing else is forked meanwhile: the first goes ahead alone.
      expect(all.unavailable(id)).toEqual([`abandon ${id}`]);
      expect(all.wait).toBeLessThanOrEqual(longestUnavailable);
      expect(all.pass(all.wait ?? 0)).toEqual([`fork ${id + 1} in 0`]);
    }
    all.unavailable(21);
    expect(all.wait).toBe(longestUnavailable);
    all.pass(all.wait ?? 0);
    expect(all.ready(22)).toEqual(['fork 23 in 1']);
  });

  test('a mistake in the settings that shows afterwards is still told three times at most', () => {
    const all = new Supervised(1);
    all.pass(0);
    for (let id = 1; id <= 5; id += 1) {
      all.unavailable(id);
      all.pass(all.wait ?? 0);
    }
    for (let id = 6; id < 5 + START_ATTEMPTS; id += 1) {
      expect(all.died(id)).toEqual([]);
      all.pass(all.wait ?? 0);
    }
    expect(all.died(5 + START_ATTEMPTS)).toEqual(['exit 1']);
  });
});

describe('deaths', () => {
  test('one that had served for long is forked again at once, and its jobs are told of', () => {
    const all = serving();
    expect(all.died(1)).toEqual(['fork 3 in 0', 'abandon 1']);
    expect(all.ready(3)).toEqual(['announce']);
  });

  test.each([
    [1, 100],
    [2, 200],
    [3, 400],
    [8, 12_800],
    [9, 25_600],
    [10, longestBackoff],
    [30, longestBackoff],
  ])('quick death %i waits %i ms', (deaths, wait) => {
    const all = serving(1);
    all.died(1);
    let id = 2;
    for (let death = 1; death < deaths; death += 1) {
      all.died(id);
      all.pass(all.wait ?? 0);
      id += 1;
    }
    all.died(id);
    expect(all.wait).toBe(wait);
    expect(all.pass(wait - 1)).toEqual([]);
    expect(all.pass(1)).toEqual([`fork ${id + 1} in 0`]);
  });

  test('every step of a crash loop is an error in the log that says when it goes on', () => {
    const all = serving(1);
    all.died(1);
    for (const [id, forkInMs] of [
      [2, 100],
      [3, 200],
      [4, 400],
    ] as const) {
      const log = all.all({ type: 'exited', process: id, code: 1, signal: null });
      expect(log).toMatchObject([{ type: 'log', level: 'error', process: id, facts: { forkInMs, code: 1 } }]);
      all.pass(forkInMs);
    }
  });

  test('a life that was long enough ends the back-off', () => {
    const all = serving(1);
    all.died(1);
    all.ready(2);
    all.now += stable - 1;
    expect(all.died(2)).toEqual([]);
    expect(all.wait).toBe(100);
    all.pass(100);
    all.ready(3);
    all.now += stable;
    expect(all.died(3)).toEqual(['fork 4 in 0']);
  });

  test('slots wait each for itself', () => {
    const all = serving(2);
    all.died(1);
    all.ready(3);
    expect(all.died(3)).toEqual(['abandon 3']);
    expect(all.died(2)).toEqual(['fork 4 in 1']);
    expect(all.wait).toBe(100);
  });

  test('jobs of dead processes are told of as soon as somebody serves', () => {
    const all = serving(2);
    expect(all.died(1)).toEqual(['fork 3 in 0', 'abandon 1']);
    expect(all.died(2)).toEqual(['fork 4 in 1']);
    expect(all.ready(4)).toEqual(['abandon 2']);
    expect(all.ready(3)).toEqual(['announce']);
  });

  test('what is said of a process that is gone means nothing', () => {
    const all = serving();
    all.died(1);
    expect(all.died(1)).toEqual([]);
    expect(all.ready(1)).toEqual([]);
    expect(all.overrun(1)).toEqual([]);
  });
});

describe('overrun', () => {
  test('a fresh process at once; the old one leaves while another serves, and is killed if it cannot', () => {
    const all = serving();
    expect(all.overrun(1)).toEqual(['fork 3 in 0', `drain 1 overrun ${overrunTime}`].toReversed());
    expect(all.overrun(1)).toEqual([]);
    expect(all.ready(3)).toEqual(['announce']);
    expect(all.pass(overrunTime)).toEqual([]);
    expect(all.pass(margin)).toEqual(['kill 1']);
    expect(all.died(1)).toEqual(['abandon 1']);
    expect(all.wait).toBeNull();
  });

  test('the last one that takes connections stays until a fresh one is ready', () => {
    const all = serving(1);
    expect(all.overrun(1)).toEqual(['fork 2 in 0']);
    all.now += 300;
    expect(all.ready(2)).toEqual([`drain 1 overrun ${overrunTime}`, 'announce']);
  });

  test('but not for ever', () => {
    const all = serving(1);
    all.overrun(1);
    expect(all.wait).toBe(overrunTime);
    expect(all.pass(overrunTime)).toEqual([`drain 1 overrun ${overrunTime}`]);
    expect(all.pass(overrunTime + margin)).toEqual(['kill 1']);
  });

  test('all processes at once: each is replaced, one stays open', () => {
    const all = serving(2);
    expect(all.overrun(1)).toEqual([`drain 1 overrun ${overrunTime}`, 'fork 3 in 0']);
    expect(all.overrun(2)).toEqual(['fork 4 in 1']);
    expect(all.ready(4)).toEqual([`drain 2 overrun ${overrunTime}`]);
    expect(all.ready(3)).toEqual(['announce']);
  });

  test('no more doomed processes than slots: the oldest is killed at once', () => {
    const all = serving(2);
    all.overrun(1);
    all.overrun(2);
    all.ready(3);
    all.ready(4);
    expect(all.overrun(3)).toEqual(['kill 1', `drain 3 overrun ${overrunTime}`, 'fork 5 in 0']);
    expect(all.overrun(4)).toEqual(['kill 2', 'fork 6 in 1']);
    expect(all.died(1)).toEqual([]);
    const alive = [...all.state.processes.values()].filter(({ killed }) => !killed);
    expect(alive).toHaveLength(4);
  });

  test('one that ends by itself while it is doomed is no crash', () => {
    const all = serving(1);
    all.overrun(1);
    expect(all.died(1)).toEqual([]);
    expect(all.ready(2)).toEqual(['abandon 1', 'announce']);
    expect(all.wait).toBeNull();
  });

  test('one that is leaving already gets no more time than a doomed one', () => {
    const all = serving(1);
    all.reload();
    expect(all.ready(2)).toEqual([`drain 1 reload ${DRAIN}`]);
    expect(all.overrun(1)).toEqual([]);
    expect(all.wait).toBe(overrunTime + margin);
    expect(all.pass(overrunTime + margin)).toEqual(['kill 1']);
  });

  test('a replacement that dies quickly waits before the next', () => {
    const all = serving(2);
    all.overrun(1);
    expect(all.died(3)).toEqual(['abandon 3']);
    expect(all.wait).toBe(100);
  });
});

test('whatever happens in whatever order, slots fill again and nothing is left over', () => {
  // A small generator of its own, so that a failure can be told by its seed.
  const random = (seed: number) => () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  for (let seed = 1; seed <= 60; seed += 1) {
    const next = random(seed);
    const pick = <T>(values: readonly T[]): T | undefined => values[Math.floor(next() * values.length)];
    const all = new Supervised(3);
    all.pass(0);
    all.ready(1);
    for (let turn = 0; turn < 100; turn += 1) {
      const id = pick([...all.state.processes.keys()]) ?? 1;
      pick([
        () => all.ready(id),
        () => all.ready(id),
        () => all.died(id),
        () => all.overrun(id),
        () => all.reload(),
        () => all.pass(next() * 1000),
      ])?.();
      const stuck = [...all.state.processes.values()].filter(({ overran, killed }) => overran && !killed);
      expect(stuck.length, `seed ${seed}`).toBeLessThanOrEqual(3);
      expect(all.state.processes.size, `seed ${seed}`).toBeLessThanOrEqual(3 + 3 + 2 + killedOf(all));
    }
    // From here on all goes well.
    for (let turn = 0; turn < 200; turn += 1) {
      for (const [id, { phase, killed }] of all.state.processes) {
        if (killed || phase === 'draining') all.left(id);
        else if (phase === 'starting') all.ready(id);
      }
      all.pass(all.wait ?? 0);
    }
    expect(all.state.processes.size, `seed ${seed}`).toBe(3);
    expect(all.state, `seed ${seed}`).toMatchObject({
      roll: null,
      rollQueued: false,
      announced: true,
      abandoned: [],
    });
    expect(all.wait, `seed ${seed}`).toBeNull();
  }
});

function killedOf({ state }: Supervised): number {
  return [...state.processes.values()].filter(({ killed }) => killed).length;
}
