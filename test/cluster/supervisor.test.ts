// The policy of the primary, table by table: no process, no clock, no signal.

import { describe, expect, test } from 'vitest';
import { UNAVAILABLE_CODE } from '../../src/cluster/messages.ts';
import { initialState, START_ATTEMPTS, SUPERVISION, wakeAt } from '../../src/cluster/supervision.ts';
import type { SupervisorAction, SupervisorEvent, SupervisorState } from '../../src/cluster/supervision.ts';
import { supervise } from '../../src/cluster/supervisor.ts';

const DRAIN = 20_000;
const {
  stable,
  start: startTime,
  overrun: overrunTime,
  margin,
  longestBackoff,
  longestUnavailable,
} = SUPERVISION;

/** A supervisor on a clock of the test's own; actions are written as short words. */
class Supervised {
  state: SupervisorState;
  now = 0;

  constructor(processes = 2) {
    this.state = initialState({ processes, drain: DRAIN });
  }

  /** The actions of an event, without the log. */
  on(event: SupervisorEvent): string[] {
    return this.all(event).flatMap((action) => (action.type === 'log' ? [] : [word(action, this.now)]));
  }

  all(event: SupervisorEvent): SupervisorAction[] {
    const before = freeze(this.state);
    const { state, actions } = supervise(before, event, this.now);
    this.state = state;
    return actions;
  }

  ready = (process: number): string[] => this.on({ type: 'ready', process });
  overrun = (process: number): string[] => this.on({ type: 'overrun', process });
  died = (process: number, signal = 'SIGKILL'): string[] =>
    this.on({ type: 'exited', process, code: null, signal });
  unavailable = (process: number): string[] =>
    this.on({ type: 'exited', process, code: UNAVAILABLE_CODE, signal: null });
  left = (process: number): string[] => this.on({ type: 'exited', process, code: 0, signal: null });
  reload = (): string[] => this.on({ type: 'reload' });
  stop = (signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): string[] => this.on({ type: 'stop', signal });

  /** Lets time pass in one step. */
  pass(ms: number): string[] {
    this.now += ms;
    return this.on({ type: 'tick' });
  }

  /** Milliseconds until the next tick is due. */
  get wait(): number | null {
    const due = wakeAt(this.state);
    return due === null ? null : due - this.now;
  }
}

function word(action: SupervisorAction, now: number): string {
  switch (action.type) {
    case 'fork':
      return `fork ${action.process} in ${action.slot}`;
    case 'drain':
      return `drain ${action.process} ${action.why} ${action.deadline - now}`;
    case 'kill':
    case 'abandon':
      return `${action.type} ${action.process}`;
    case 'exit':
      return `exit ${action.code}`;
    default:
      return action.type;
  }
}

/** The policy must not change what it is given. */
function freeze(state: SupervisorState): SupervisorState {
  for (const slot of state.slots) Object.freeze(slot);
  for (const process of state.processes.values()) Object.freeze(process);
  Object.freeze(state.abandoned);
  if (state.roll !== null) Object.freeze(state.roll);
  return Object.freeze(state);
}

/** All slots serve: process 1 in slot 0, 2 in slot 1 …, and have done so for long. */
function serving(processes = 2): Supervised {
  const all = new Supervised(processes);
  all.pass(0);
  for (let id = 1; id <= processes; id += 1) all.ready(id);
  all.now = 100_000;
  return all;
}

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

describe('reload', () => {
  test('one slot at a time: fork, wait until ready, drain the old one, wait until it is gone', () => {
    const all = serving(2);
    expect(all.reload()).toEqual(['fork 3 in 0']);
    expect(all.ready(3)).toEqual([`drain 1 reload ${DRAIN}`]);
    expect(all.pass(100)).toEqual([]);
    expect(all.left(1)).toEqual(['fork 4 in 1', 'abandon 1']);
    expect(all.ready(4)).toEqual([`drain 2 reload ${DRAIN}`]);
    const end = all.all({ type: 'exited', process: 2, code: 0, signal: null });
    expect(end).toContainEqual(expect.objectContaining({ message: 'reloaded' }));
    expect(all.wait).toBeNull();
    expect([...all.state.processes.keys()]).toEqual([3, 4]);
  });

  test('an old one that does not leave is killed, and the roll goes on', () => {
    const all = serving(2);
    all.reload();
    all.ready(3);
    expect(all.pass(DRAIN + margin)).toEqual(['kill 1']);
    expect(all.died(1)).toEqual(['fork 4 in 1', 'abandon 1']);
  });

  test('a fresh one that does not start ends the roll; the old ones stay', () => {
    const all = serving(2);
    all.reload();
    const actions = all.all({ type: 'exited', process: 3, code: 1, signal: null });
    expect(actions).toMatchObject([
      { type: 'log', level: 'error', facts: { code: 1 } },
      { type: 'abandon', process: 3 },
    ]);
    expect(all.wait).toBeNull();
    expect([...all.state.processes.keys()]).toEqual([1, 2]);
  });

  test('a fresh one that hangs is killed and ends the roll', () => {
    const all = serving(2);
    all.reload();
    expect(all.pass(startTime)).toEqual(['kill 3']);
    expect(all.died(3)).toEqual(['abandon 3']);
    expect([...all.state.processes.keys()]).toEqual([1, 2]);
  });

  test('after an aborted roll the next one takes all slots, those already fresh too', () => {
    const all = serving(2);
    all.reload();
    all.ready(3);
    all.left(1);
    all.died(4);
    expect(all.reload()).toEqual(['fork 5 in 0']);
    all.ready(5);
    expect(all.left(3)).toEqual(['fork 6 in 1', 'abandon 3']);
    all.ready(6);
    expect(all.left(2)).toEqual(['abandon 2']);
    expect(all.state.roll).toBeNull();
  });

  test('reloads during a roll become one more roll, not many', () => {
    const all = serving(1);
    all.reload();
    expect(all.reload()).toEqual([]);
    expect(all.reload()).toEqual([]);
    all.ready(2);
    expect(all.left(1)).toEqual(['fork 3 in 0', 'abandon 1']);
    all.ready(3);
    expect(all.left(2)).toEqual(['abandon 2']);
    expect(all.state.roll).toBeNull();
  });

  test('a reload during a roll that fails is done all the same: the file may be mended', () => {
    const all = serving(1);
    all.reload();
    all.reload();
    expect(all.died(2)).toEqual(['fork 3 in 0', 'abandon 2']);
    expect(all.ready(3)).toEqual([`drain 1 reload ${DRAIN}`]);
  });

  test('the old one dies while the fresh one starts: the fresh one takes its place, no third is forked', () => {
    const all = serving(2);
    all.reload();
    expect(all.died(1)).toEqual(['abandon 1']);
    expect(all.ready(3)).toEqual(['fork 4 in 1', 'announce']);
  });

  test('… and if the fresh one fails then, the slot is filled again with back-off', () => {
    const all = serving(2);
    all.reload();
    all.died(1);
    expect(all.died(3)).toEqual(['abandon 3']);
    expect(all.state.roll).toBeNull();
    expect(all.wait).toBe(100);
    expect(all.pass(100)).toEqual(['fork 4 in 0']);
  });

  test('an overrun in the slot that rolls: the fresh one takes its place', () => {
    const all = serving(2);
    all.reload();
    expect(all.overrun(1)).toEqual([`drain 1 overrun ${overrunTime}`]);
    expect(all.ready(3)).toEqual(['fork 4 in 1', 'announce']);
  });

  test('an overrun in the only slot while it rolls: the old one listens until the fresh one does', () => {
    const all = serving(1);
    all.reload();
    expect(all.overrun(1)).toEqual([]);
    expect(all.ready(2)).toEqual([`drain 1 overrun ${overrunTime}`, 'announce']);
    expect(all.state.roll).toBeNull();
  });

  test('an overrun in another slot is replaced at once, by a process that the roll need not take again', () => {
    const all = serving(2);
    all.reload();
    expect(all.overrun(2)).toEqual([`drain 2 overrun ${overrunTime}`, 'fork 4 in 1']);
    all.ready(3);
    all.left(1);
    expect(all.state.roll).toBeNull();
    expect(all.ready(4)).toEqual(['announce']);
  });

  test('waits for a process that was forked before and is not ready yet', () => {
    const all = serving(2);
    all.died(2);
    expect(all.reload()).toEqual(['fork 4 in 0']);
    all.ready(4);
    expect(all.left(1)).toEqual(['abandon 1']);
    expect(all.state.roll).not.toBeNull();
    expect(all.ready(3)).toEqual(['fork 5 in 1', 'announce']);
  });

  test('ends the wait of a slot that is in its back-off', () => {
    const all = serving(2);
    all.died(1);
    all.died(3);
    expect(all.wait).toBe(100);
    expect(all.reload()).toEqual(['fork 4 in 0', 'fork 5 in 1']);
  });
});

describe('stop', () => {
  test('all are drained; when they are gone the exit code is 0', () => {
    const all = serving(2);
    expect(all.stop()).toEqual([`drain 1 stop ${DRAIN}`, `drain 2 stop ${DRAIN}`]);
    expect(all.left(1)).toEqual([]);
    expect(all.left(2)).toEqual(['exit 0']);
    expect(all.wait).toBeNull();
  });

  test('stragglers are killed a moment after the deadline they were told', () => {
    const all = serving(2);
    all.stop();
    all.left(2);
    expect(all.wait).toBe(DRAIN + margin);
    expect(all.pass(DRAIN + margin)).toEqual(['kill 1']);
    expect(all.died(1)).toEqual(['exit 0']);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second signal %s kills all and exits with %i', (signal, code) => {
    const all = serving(2);
    all.stop();
    all.now += SUPERVISION.sameSignal;
    expect(all.stop(signal)).toEqual(['kill 1', 'kill 2', `exit ${code}`]);
    expect(all.died(1)).toEqual([]);
  });

  test('two signals in the same moment are one', () => {
    const all = serving(1);
    all.stop('SIGINT');
    all.now += SUPERVISION.sameSignal - 1;
    expect(all.stop('SIGINT')).toEqual([]);
  });

  test('deaths are not replaced any more', () => {
    const all = serving(2);
    all.stop();
    expect(all.died(1)).toEqual([]);
    expect(all.overrun(2)).toEqual([]);
    expect(all.pass(1000)).toEqual([]);
  });

  test('a process that becomes ready during the stop leaves as it was told', () => {
    const all = new Supervised(1);
    all.pass(0);
    expect(all.stop()).toEqual([`drain 1 stop ${DRAIN}`]);
    expect(all.ready(1)).toEqual([]);
    expect(all.left(1)).toEqual(['exit 0']);
  });

  test('during a roll: old and fresh are drained, no reload follows', () => {
    const all = serving(2);
    all.reload();
    all.reload();
    expect(all.stop()).toEqual([1, 2, 3].map((id) => `drain ${id} stop ${DRAIN}`));
    expect(all.reload()).toEqual([]);
    for (const id of [1, 2]) expect(all.left(id)).toEqual([]);
    expect(all.left(3)).toEqual(['exit 0']);
  });

  test('while a process is leaving after an overrun: it is not asked twice, and not given more time', () => {
    const all = serving(2);
    all.overrun(1);
    all.now += 1000;
    expect(all.stop()).toEqual([`drain 2 stop ${DRAIN}`, `drain 3 stop ${DRAIN}`]);
    expect(all.wait).toBe(overrunTime + margin - 1000);
  });

  test('a doomed one that still listened gets the time of an overrun', () => {
    const all = serving(1);
    all.overrun(1);
    expect(all.stop()).toEqual([`drain 1 stop ${overrunTime}`, `drain 2 stop ${DRAIN}`]);
  });

  test('with nothing running it is over at once', () => {
    const all = new Supervised(1);
    all.pass(0);
    all.died(1);
    expect(all.stop()).toEqual(['exit 0']);
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
