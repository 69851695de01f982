// The policy of the primary, table by table: what is done when it is told to reload or to stop.

import { describe, expect, test } from 'vitest';
import { SUPERVISION } from '../../src/cluster/supervision.ts';
import { DRAIN, serving, Supervised } from './supervised.ts';

const { start: startTime, overrun: overrunTime, margin } = SUPERVISION;

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
