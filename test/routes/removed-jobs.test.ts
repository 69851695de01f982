// A job that is removed before anybody was told of its end: its process died, and the next look for such is seconds away.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Hint, JobQueue } from '../../src/contracts.ts';
import { newId } from '../../src/lib/id.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { createLogger } from '../../src/logger.ts';
import { openQueue as openConfigured } from '../../src/queues/open.ts';
import { removeJob } from '../../src/jobs/runner.ts';
import type { Job } from '../../src/jobs/job.ts';
import { openStore } from '../../src/stores/open.ts';
import { aJob } from '../contracts/queue-jobs.ts';
import { eventually } from '../support/eventually.ts';
import { configIn } from '../support/mode.ts';
import { startTestServer } from '../support/server.ts';
import { isSignedWith, startReceiver } from '../webhooks/receiver.ts';
import { OWN_SECRET } from '../webhooks/site.ts';

/** Takes nothing and tells nobody: what is added waits, and what is cancelled has ended. */
const openQueue = (folder: string): Promise<JobQueue> =>
  openConfigured(configIn(folder), {
    owner: newId(),
    machine: 'another',
    hints: localHints<Hint>(),
    log: createLogger({ LOG_LEVEL: 'silent', LOG_FORMAT: 'json' }),
  });

it('is told of all the same', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-removed-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const receiver = stack.use(await startReceiver());
  const before = await openQueue(folder);
  const { id } = await before.add({ ...aJob(), webhook: { url: `${receiver.server.origin}/hook` } });
  await before.cancel(id);
  await before.close();
  const server = stack.use(
    await startTestServer(
      { WEBHOOK_SECRETS: OWN_SECRET, WEBHOOK_HOSTS: `localhost:${receiver.server.port}` },
      { dataDir: folder, remote: { ca: receiver.server.ca } },
    ),
  );
  expect((await server.request(`/v1/jobs/${id}`, { method: 'DELETE' })).status).toBe(204);
  expect((await server.request(`/v1/jobs/${id}`)).status).toBe(404);
  const message = await eventually('the message', () => receiver.messages[0]);
  expect(isSignedWith(message, OWN_SECRET)).toBe(true);
  expect(JSON.parse(message.body)).toMatchObject({ type: 'job.cancelled', data: { id } });
});

it('stays if what is owed cannot be written down; one that ends in the middle is told of too', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-removed-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const store = await openStore(configIn(folder), { owner: 'me' });
  stack.defer(() => store.close());
  const queue = await openQueue(folder);
  stack.defer(() => queue.close());
  const settled: string[] = [];
  const settleUp = async ({ id }: Job): Promise<void> => void settled.push(id);

  const stuck = await queue.add(aJob());
  await queue.cancel(stuck.id);
  const workOff = async (): Promise<void> => {
    throw new Error('disk full');
  };
  await expect(removeJob({ queue, store, aftermath: { workOff, settleUp } }, stuck.id)).rejects.toThrow(
    'disk full',
  );
  expect(await queue.get(stuck.id)).toBeDefined();

  const waiting = await queue.add(aJob());
  const ends = async (): Promise<void> => void (await queue.cancel(waiting.id));
  await removeJob({ queue, store, aftermath: { workOff: ends, settleUp } }, waiting.id);
  expect([settled, await queue.get(waiting.id)]).toEqual([[waiting.id], undefined]);
});
