// Whoever signs in after another gets nothing of theirs: no file, no order, no answer that was still on its way.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ApiProblem } from '../../src/console/api.ts';
import type { Api, Job } from '../../src/console/api.ts';
import { createJobFeed } from '../../src/console/job-feed.ts';
import { createOrders } from '../../src/console/orders.ts';
import { createTransfers } from '../../src/console/transfers.ts';

interface Options {
  onSuccess(): void;
}

/** In place of tus-js-client's: it sends nothing, and ends when the test says so. */
class Upload {
  static all: Upload[] = [];
  url = 'http://host/v1/uploads/u1';
  readonly options: Options;
  readonly start = vi.fn();
  readonly abort = vi.fn(async () => undefined);
  constructor(_: File, options: Options) {
    this.options = options;
    Upload.all.push(this);
  }
  async findPreviousUploads(): Promise<readonly never[]> {
    return previous;
  }
}
let previous: Promise<readonly never[]> | readonly never[] = [];

const file = (name: string): File => new File(['bytes'], name);
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const started = (count: number): Promise<void> =>
  vi.waitFor(() => expect(Upload.all.filter(({ start }) => start.mock.calls.length > 0)).toHaveLength(count));

beforeEach(() => {
  Upload.all = [];
  previous = [];
  vi.stubGlobal('tus', { Upload });
  const stored: Record<string, unknown> = { 'tus::one::1': '{}', 'tus::two::2': '{}', theme: 'dark' };
  const removeItem = (key: string): void => void delete stored[key];
  vi.stubGlobal('localStorage', Object.defineProperty(stored, 'removeItem', { value: removeItem }));
});
afterEach(() => vi.unstubAllGlobals());

it('files are stopped and forgotten, with where they were to be resumed', async () => {
  const transfers = createTransfers({ headers: () => ({}) } as Api);
  transfers.add([file('a'), file('b')]);
  await started(2);
  const [first] = transfers.list();
  Object.assign(first!, { jobId: 'j1' });
  transfers.clear();
  expect(transfers.list()).toEqual([]);
  expect(transfers.sourceOf('j1')).toBeUndefined();
  for (const { abort } of Upload.all) expect(abort).toHaveBeenCalledOnce();
  expect(Object.keys(localStorage)).toEqual(['theme']);
});

it('a file that is only being prepared is not sent any more', async () => {
  const looking = Promise.withResolvers<readonly never[]>();
  previous = looking.promise;
  const transfers = createTransfers({ headers: () => ({}) } as Api);
  transfers.add([file('a')]);
  await vi.waitFor(() => expect(Upload.all).toHaveLength(1));
  transfers.clear();
  looking.resolve([]);
  await settle();
  expect(Upload.all[0]?.start).not.toHaveBeenCalled();
});

/** Orders of one file that is on the server, over an API that the test answers for. */
async function ordering(send: Api['send']) {
  const get = () => Promise.reject(new ApiProblem({ status: 404 }));
  const api = { headers: () => ({}), send, get } as unknown as Api;
  const transfers = createTransfers(api);
  const put = vi.fn();
  const orders = createOrders(api, { ...createJobFeed(api), put }, transfers);
  const on = { job: vi.fn(), problem: vi.fn() };
  transfers.add([file('a')]);
  await started(1);
  const place = (): void => orders.place(transfers.list(), { preset: 'p' }, on);
  const arrive = (): void => Upload.all[0]?.options.onSuccess();
  return { transfers, orders, put, on, place, arrive };
}

it('what was asked for is not ordered after all', async () => {
  const send = vi.fn();
  const { transfers, orders, place, arrive } = await ordering(send as Api['send']);
  place();
  const [transfer] = transfers.list();
  orders.clear();
  expect(orders.isPlaced(transfer!)).toBe(false);
  arrive();
  await settle();
  expect(send).not.toHaveBeenCalled();
});

it('an order on its way is not sent again with the key of another, nor is its answer shown', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const answer = Promise.withResolvers<Job>();
  const send = vi
    .fn()
    .mockRejectedValueOnce(new ApiProblem({ code: 'unreachable' }))
    .mockReturnValue(answer.promise);
  const { orders, put, on, place, arrive } = await ordering(send as Api['send']);
  arrive();
  place();
  await settle();
  orders.clear();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(send).toHaveBeenCalledOnce();
  place();
  orders.clear();
  answer.resolve({ id: 'j1' } as Job);
  await settle();
  expect(send).toHaveBeenCalledTimes(2);
  for (const told of [put, on.job, on.problem]) expect(told).not.toHaveBeenCalled();
  vi.useRealTimers();
});

it('an answer of before is not listed', async () => {
  const answer = Promise.withResolvers<unknown>();
  const feed = createJobFeed({ get: () => answer.promise } as unknown as Api);
  const [listing, loading] = [feed.more(), feed.load('1')];
  feed.close();
  answer.resolve({ id: '1', jobs: [{ id: '2', createdAt: '' }], next: '2' });
  await Promise.all([listing, loading]);
  expect(feed.all()).toEqual([]);
});
