// The state machine of jobs, as tables.

import { describe, expect, it } from 'vitest';
import { advance, isFinished, JOB_STATUSES, LANES, newJob } from '../../src/jobs/job.ts';
import type { Job, JobAction, JobStatus } from '../../src/jobs/job.ts';
import { Problem } from '../../src/problems.ts';

const POLICY = { maxAttempts: 3, ttlSeconds: 60 };
const CREATED = 1_000_000;
const NOW = 2_000_000;
const EXPIRES = NOW + 60_000;

const problem = new Problem('encoder_killed', 'SIGKILL').toDocument();
const results = {
  small: {
    mediaType: 'image/webp',
    bytes: 1,
    width: 1,
    height: 1,
    durationSeconds: null,
    decisions: [],
    key: 'results/a/1/small.webp',
  },
};

const ACTIONS = {
  start: { type: 'start' },
  progress: { type: 'progress', update: { progress: 0.5 } },
  succeed: { type: 'succeed', results, warnings: ['small'] },
  fail: { type: 'fail', problem, retry: false },
  retry: { type: 'fail', problem, retry: true },
  interrupt: { type: 'interrupt' },
  set_back: { type: 'set_back', problem, retry: false },
  hand_back: { type: 'hand_back' },
  move: { type: 'move', lane: 'film' },
  cancel: { type: 'cancel' },
  cancelled: { type: 'cancelled' },
} as const satisfies Record<string, JobAction>;
type ActionName = keyof typeof ACTIONS;

const queued = newJob(
  {
    id: 'a',
    tenant: 'default',
    lane: 'video',
    source: {
      key: 'sources/a',
      name: 'clip.mov',
      mediaType: 'video/quicktime',
      bytes: 10,
      width: null,
      height: null,
      durationSeconds: null,
    },
    recipe: { outputs: {} },
  },
  CREATED,
);
const running: Job = {
  ...queued,
  status: 'running',
  phase: 'processing',
  attempt: 1,
  startedAt: CREATED + 1,
};
const lastAttempt: Job = { ...running, attempt: 3 };
const stopping: Job = { ...running, cancelRequested: true };

const act = (job: Job, action: JobAction): Job => advance(job, action, NOW, POLICY);

describe('a new job', () => {
  it('waits, unattempted', () => {
    expect(queued).toMatchObject({
      status: 'queued',
      phase: 'waiting',
      revision: 1,
      attempt: 0,
      progress: 0,
      priority: 0,
      createdAt: CREATED,
      startedAt: null,
      finishedAt: null,
      expiresAt: null,
      metadata: {},
      cancelRequested: false,
    });
  });
});

/** What each action makes of each state; `same` means that it means nothing there. */
const TRANSITIONS: Record<string, { from: Job; to: Record<ActionName, JobStatus | 'same'> }> = {
  'a waiting job': {
    from: queued,
    to: {
      start: 'running',
      progress: 'same',
      succeed: 'same',
      fail: 'same',
      retry: 'same',
      interrupt: 'same',
      set_back: 'same',
      hand_back: 'same',
      move: 'same',
      cancel: 'cancelled',
      cancelled: 'same',
    },
  },
  'a running job': {
    from: running,
    to: {
      start: 'same',
      progress: 'running',
      succeed: 'succeeded',
      fail: 'failed',
      retry: 'queued',
      interrupt: 'queued',
      set_back: 'queued',
      hand_back: 'queued',
      move: 'queued',
      cancel: 'running',
      cancelled: 'cancelled',
    },
  },
  'a job in its last attempt': {
    from: lastAttempt,
    to: {
      start: 'same',
      progress: 'running',
      succeed: 'succeeded',
      fail: 'failed',
      retry: 'failed',
      interrupt: 'failed',
      set_back: 'queued',
      hand_back: 'queued',
      move: 'queued',
      cancel: 'running',
      cancelled: 'cancelled',
    },
  },
  'a running job that is to be cancelled': {
    from: stopping,
    to: {
      start: 'same',
      progress: 'running',
      succeed: 'cancelled',
      fail: 'cancelled',
      retry: 'cancelled',
      interrupt: 'cancelled',
      set_back: 'cancelled',
      hand_back: 'cancelled',
      move: 'cancelled',
      cancel: 'same',
      cancelled: 'cancelled',
    },
  },
};

describe.each(Object.entries(TRANSITIONS))('%s', (_, { from, to }) => {
  it.each(Object.entries(to) as [ActionName, JobStatus | 'same'][])('by %s becomes %s', (name, status) => {
    const after = act(from, ACTIONS[name]);
    if (status === 'same') {
      expect(after).toBe(from);
      return;
    }
    expect(after.status).toBe(status);
    expect(after.revision).toBe(from.revision + 1);
    expect(after.phase).toBe({ queued: 'waiting', running: 'processing' }[status as string] ?? 'done');
    const times = isFinished(after) ? [NOW, EXPIRES] : [null, null];
    expect([after.finishedAt, after.expiresAt]).toEqual(times);
    expect(after.results).toEqual(status === 'succeeded' ? results : {});
    expect(after.problem === null).toBe(status !== 'failed');
  });
});

describe('a finished job', () => {
  const finished = JOB_STATUSES.filter((status) => isFinished({ status }));
  it.each(finished)('that %s stays as it is, whatever comes', (status) => {
    const job: Job = { ...running, status, phase: 'done', finishedAt: CREATED, expiresAt: CREATED };
    for (const action of Object.values(ACTIONS)) expect(act(job, action)).toBe(job);
  });
  it('is one that succeeded, failed or was cancelled', () => {
    expect(finished).toEqual(['succeeded', 'failed', 'cancelled']);
  });
});

describe('attempts', () => {
  it('are counted when one starts, before the work', () => {
    const started = act({ ...queued, attempt: 1, progress: 0.7, speed: 2, etaSeconds: 3 }, ACTIONS.start);
    expect(started).toMatchObject({ attempt: 2, startedAt: NOW, progress: 0, speed: null, etaSeconds: null });
  });

  it.each([
    ['retry', 1],
    ['interrupt', 1],
    ['set_back', 0],
    ['hand_back', 0],
    ['move', 0],
  ] as const)('%s leaves %i behind', (name, attempt) => {
    const after = act({ ...running, progress: 0.7, speed: 2, etaSeconds: 3 }, ACTIONS[name]);
    expect(after).toMatchObject({ attempt, progress: 0, speed: null, etaSeconds: null, problem: null });
  });

  it('that are used up by failures keep the last failure, those used up by deaths say so', () => {
    expect(act(lastAttempt, ACTIONS.retry).problem).toEqual(problem);
    expect(act(lastAttempt, ACTIONS.interrupt).problem).toMatchObject({ code: 'attempts_exhausted' });
  });
});

describe('setbacks', () => {
  const DAY = 86_400_000;
  const setBack = (retry: boolean): JobAction => ({ type: 'set_back', problem, retry });
  const since = (ago: number, changes: Partial<Job> = {}): Job => ({
    ...running,
    setbacks: { times: 7, since: NOW - ago },
    ...changes,
  });

  it('are counted, and the first is remembered', () => {
    expect(act(running, setBack(false)).setbacks).toEqual({ times: 1, since: NOW });
    expect(act(since(DAY - 1), setBack(false)).setbacks).toEqual({ times: 8, since: NOW - DAY + 1 });
  });

  it('for a day are failures: tried again if that is of use, while attempts are left', () => {
    expect(act(since(DAY), setBack(false))).toMatchObject({ status: 'failed', problem });
    expect(act(since(DAY), setBack(true))).toMatchObject({ status: 'queued', attempt: 1, problem: null });
    expect(act(since(DAY, { attempt: 3 }), setBack(true))).toMatchObject({ status: 'failed', problem });
  });
});

describe('moving', () => {
  it.each(LANES)('to the lane %s is handing back into that lane', (lane) => {
    const job: Job = { ...running, priority: 7, progress: 0.7, attempt: 2 };
    expect(act(job, { type: 'move', lane })).toEqual({ ...act(job, ACTIONS.hand_back), lane });
  });

  it('does not happen to a job that waits, or is to be cancelled', () => {
    for (const job of [queued, stopping]) expect(act(job, ACTIONS.move).lane).toBe('video');
  });

  it('is the only thing that changes the lane', () => {
    for (const [name, action] of Object.entries(ACTIONS)) {
      for (const job of [queued, running, lastAttempt]) {
        expect(act(job, action).lane).toBe(name === 'move' && job !== queued ? 'film' : 'video');
      }
    }
  });
});

describe('progress', () => {
  it.each([
    [0.5, 0.3, 0.5],
    [0.5, 0.6, 0.6],
    [0.5, undefined, 0.5],
    [0.5, 1, 0.999],
    [0.5, -3, 0.5],
  ])('of %d told %d is %d', (before, told, after) => {
    const update = told === undefined ? {} : { progress: told };
    expect(act({ ...running, progress: before }, { type: 'progress', update }).progress).toBe(after);
  });

  it('is 1 only once the result is published', () => {
    expect(act(running, ACTIONS.succeed)).toMatchObject({ progress: 1, warnings: ['small'] });
    expect(act({ ...running, progress: 0.5 }, ACTIONS.fail).progress).toBe(0.5);
  });

  it('forgets nothing that it was not told anew', () => {
    const job: Job = { ...running, speed: 2, etaSeconds: 9 };
    const update = { etaSeconds: null, source: { width: 640, mediaType: 'video/mp4' } };
    expect(act(job, { type: 'progress', update })).toMatchObject({
      speed: 2,
      etaSeconds: null,
      source: { width: 640, height: null, mediaType: 'video/mp4', key: 'sources/a', bytes: 10 },
    });
  });
});
