// What goes on behind the requests, in every process: what is owed for ended jobs, webhooks, clearing away.

import { createCharge } from '../access/accounts.ts';
import type { JobQueue } from '../contracts.ts';
import { startAftermath } from '../jobs/aftermath.ts';
import type { Aftermath } from '../jobs/aftermath.ts';
import { startSweeper } from '../jobs/sweeper.ts';
import { createSafePost } from '../lib/safe-post.ts';
import { isAway, Problem } from '../problems.ts';
import { startWebhooks } from '../webhooks/webhooks.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';
import type { Backends } from './backends.ts';
import type { Life } from './life.ts';
import type { Media } from './media.ts';
import { sweepTurns } from './sweep-turns.ts';

export interface Afterwards {
  readonly webhooks: Webhooks;
  readonly aftermath: Aftermath;
}

const SWEEP_EVERY_MS = 60_000;
const STRAY_AFTER_MS = 3_600_000;
/** Where jobs and files are kept apart: a backup of yesterday's that is put back does not know those of today. */
const APART_STRAY_AFTER_MS = 3 * 86_400_000;
/** A look at everything in a shared store costs its owner money, and many requests. */
const SHARED_STRAYS_EVERY_MS = 900_000;

export function startAfterwards(
  life: Life,
  { records, meters, store, storeOwner, hints }: Backends,
  { uploads }: Media,
  { queue, version }: { readonly queue: JobQueue; readonly version: string },
): Afterwards {
  const { config, stack, meter, owner, log } = life;
  stack.defer(
    hints.subscribe((hint) => {
      if (hint.topic !== 'abandoned') return;
      Promise.all([queue.abandon(hint.owner), store.tidy(hint.owner)]).catch((error: unknown) =>
        log.error({ err: error }, 'clearing up after a dead process failed'),
      );
    }),
  );
  // What heals by itself is no mistake of ours.
  const trouble = (message: string) => (error: unknown) =>
    log[isBecauseAway(error) ? 'warn' : 'error']({ err: error }, message);
  const webhooks = startWebhooks({
    records,
    hints,
    post: createSafePost({ isOwn: config.WEBHOOK_HOSTS, ...life.remote }),
    owner,
    secrets: config.WEBHOOK_SECRETS ?? [],
    version,
    log,
    onAttempt: (outcome) => meter.metrics.deliveries.add(1, outcome),
    leaving: life.leaving,
  });
  stack.defer(() => webhooks.close(life.deadline()));
  const aftermath = startAftermath({
    queue,
    now: records.now,
    tell: (job) => webhooks.deliveries.owe(job),
    charge: createCharge({ meters, now: records.now }),
    onError: trouble('what is owed for an ended job could not be done'),
  });
  stack.defer(() => aftermath.close());
  const turns = sweepTurns(meters, { everyMs: SWEEP_EVERY_MS / 2, straysEveryMs: SHARED_STRAYS_EVERY_MS });
  const sweeper = startSweeper({
    queue,
    store,
    aftermath,
    uploads: uploads.uploads,
    records,
    everyMs: SWEEP_EVERY_MS,
    strayAfterMs: storeOwner === undefined ? STRAY_AFTER_MS : APART_STRAY_AFTER_MS,
    ...(storeOwner !== undefined && {
      maySweep: () => turns.sweep(),
      keepTurn: () => turns.keep(),
      maySweepStrays: async () => (await turns.sweepStrays()) && storeOwner.isSole(),
      assertKnown: () => storeOwner.assertSame(),
    }),
    onError: trouble('sweeping failed'),
  });
  stack.defer(() => sweeper.close());
  return { webhooks, aftermath };
}

/** Redis or S3 cannot be reached, be it told by way of another error. */
function isBecauseAway(error: unknown): boolean {
  if (error instanceof Problem) return isAway(error);
  return error instanceof Error && error.cause !== undefined && isBecauseAway(error.cause);
}
