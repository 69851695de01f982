import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LEASE_MS } from '../../src/webhooks/delivery.ts';
import { isSignedWith, startReceiver } from './receiver.ts';
import type { Receiver } from './receiver.ts';
import { endedJob, makeSite, OWN_SECRET } from './site.ts';
import type { Site } from './site.ts';

const OWNER = 'the one that dies';

let stack: AsyncDisposableStack;
let site: Site;
let receiver: Receiver;
let sender: ChildProcess;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  receiver = stack.use(
    // The first message is never answered.
    await startReceiver((response, _message, index) => {
      if (index > 0) response.end();
    }),
  );
  site = stack.use(await makeSite());
  const script = join(import.meta.dirname, 'sender.ts');
  sender = spawn(process.execPath, [script, site.path, OWNER, receiver.server.ca], { stdio: 'inherit' });
  stack.defer(() => void sender.kill('SIGKILL'));
});
afterEach(() => stack.disposeAsync());

/** Written down by somebody who sends nothing himself; sent by the process that then dies in the middle of it. */
async function dieWhileSending(): Promise<string> {
  const job = endedJob({ webhook: { url: `${receiver.server.origin}/hook` } });
  const maker = await site.open(receiver.server.ca, { leaving: AbortSignal.abort() });
  await maker.deliveries.owe(job);
  await receiver.came(1);
  sender.kill('SIGKILL');
  await once(sender, 'exit');
  const id = `${job.id}.job`;
  expect(await site.delivery(id, () => true)).toMatchObject({ state: 'pending', lease: { owner: OWNER } });
  return id;
}

async function expectSentAgain(id: string): Promise<void> {
  await site.delivery(id, ({ state }) => state === 'delivered');
  const [first, second, ...more] = receiver.messages;
  expect(more).toEqual([]);
  expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  expect(second?.body).toBe(first?.body);
  expect(isSignedWith(second!, OWN_SECRET)).toBe(true);
}

describe('what a process was sending when it was killed', () => {
  it('is sent by another as soon as the death is known', async () => {
    const id = await dieWhileSending();
    await site.open(receiver.server.ca);
    site.hints.publish({ topic: 'abandoned', owner: 'somebody else' });
    site.hints.publish({ topic: 'abandoned', owner: OWNER });
    await expectSentAgain(id);
  });

  it('is sent after its lease where nobody tells of the death', async () => {
    const id = await dieWhileSending();
    await site.open(receiver.server.ca);
    expect(await site.delivery(id, () => true)).toMatchObject({ lease: { owner: OWNER } });
    // The dead one's clock was the real one.
    site.pass(LEASE_MS + 60_000);
    await expectSentAgain(id);
  });
});
