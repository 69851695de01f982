// Rounds, targets, the line in the terminal and the command line.

import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from '../../load-tests/options.ts';
import { createProgress } from '../../load-tests/progress.ts';
import { figure, interleave, isMet } from '../../load-tests/scenario.ts';

const signal = new AbortController().signal;

describe('interleave', () => {
  it('takes turns, and keeps the rounds apart', async () => {
    const order: string[] = [];
    const steps: string[] = [];
    const progress = createProgress({ write: (text: string) => steps.push(text) }, () => 0);
    const results = await interleave(
      2,
      { signal, progress },
      {
        floor: async () => order.push('floor'),
        server: async () => order.push('server'),
      },
    );
    expect(order).toEqual(['floor', 'server', 'floor', 'server']);
    expect(results).toEqual({ floor: [1, 3], server: [2, 4] });
    expect(steps).toHaveLength(4);
    expect(steps[3]).toMatch(/75 %  round 2 of 2: server/);
  });

  it('stops between two steps', async () => {
    const stop = new AbortController();
    const progress = createProgress({ write: () => {} });
    const run = interleave(
      9,
      { signal: stop.signal, progress },
      { one: async () => stop.abort(new Error('enough')) },
    );
    await expect(run).rejects.toThrow('enough');
  });
});

describe('a figure', () => {
  const about = { measured: '', floor: '' };
  it('is met by its median', () => {
    const cost = figure('cost', [1, 1.05, 9], { ...about, target: { op: '≤', value: 1.1 } });
    expect(cost.median).toBe(1.05);
    expect(isMet(cost)).toBe(true);
    expect(isMet({ ...cost, median: 1.11 })).toBe(false);
    const rate = figure('rate', [0.9], { ...about, target: { op: '≥', value: 0.9 } });
    expect(isMet(rate)).toBe(true);
    expect(isMet({ ...rate, median: 0.89 })).toBe(false);
  });

  it('needs no target', () => {
    expect(isMet(figure('also', [1], about))).toBeUndefined();
  });
});

describe('progress', () => {
  it('writes a line for each new step where there is no terminal', () => {
    let text = '';
    const progress = createProgress({ write: (more: string) => (text += more) }, () => 0);
    progress.begin('status');
    progress.step('storing', 0, 4);
    progress.step('storing', 1, 4);
    progress.step('round 1');
    progress.say('done');
    progress.close();
    expect(text.match(/storing/g)).toHaveLength(1);
    expect(text.endsWith('status  round 1  0 s\ndone\n')).toBe(true);
  });

  it('redraws one line in a terminal, and leaves it empty', () => {
    let text = '';
    const progress = createProgress(
      { isTTY: true, columns: 60, write: (more: string) => (text += more) },
      () => 0,
    );
    progress.begin('image');
    progress.step('round 1', 1, 2);
    expect(text.split('\r').at(-1)).toBe('\x1b[2Kimage  ████████████░░░░░░░░░░░░  50 %  round 1  0 s');
    progress.step('x'.repeat(100));
    expect(text.split('\x1b[2K').at(-1)).toHaveLength(59);
    progress.close();
    expect(text.endsWith('\r\x1b[2K')).toBe(true);
    expect(text).not.toContain('\n');
  });
});

describe('the command line', () => {
  it('names a scenario or a group, and its measure', () => {
    expect(
      parseOptions([
        'video',
        '--rounds',
        '2',
        '--seconds=0.5',
        '--jobs',
        '10',
        '--out',
        'x',
        '--set',
        'PROCESSES=1',
        '--set',
        'HOST=a=b',
      ]),
    ).toEqual({
      name: 'video',
      quick: false,
      writeReadme: false,
      overrides: { rounds: 2, seconds: 0.5, jobs: 10 },
      out: 'x',
      env: { PROCESSES: '1', HOST: 'a=b' },
    });
    expect(parseOptions(['--help'])).toBeUndefined();
  });

  it.each([
    [[], 'Name one of image, video'],
    [['films'], 'there was films'],
    [['image', 'video'], 'there was image video'],
    [['toString'], 'there was toString'],
    [['image', '--rounds', '0'], '--rounds is a whole number from 1 to 1000; there was 0'],
    [['image', '--rounds', '1.5'], 'whole number'],
    [['image', '--seconds', ''], '--seconds is a number from 0.1'],
    [['image', '--fast'], '--fast'],
    [['image', '--set', 'PROCESSES'], '--set takes NAME=VALUE'],
    [['image', '--set', 'SPEED=9'], 'there was SPEED=9'],
    [['image', '--write-readme'], 'use it with all or fleet-model'],
    [['all', '--quick', '--write-readme'], 'without --quick'],
    [['all', '--set', 'PROCESSES=1', '--write-readme'], 'as the server is'],
  ])('refuses %j', (args, message) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(message);
  });
});
