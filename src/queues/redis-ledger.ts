// What happens to jobs in the ledger in Redis: read, advance, and one script that writes it if nobody was quicker.

import type { KeptJob } from '../contracts.ts';
import { advance, isFinished, newJob } from '../jobs/job.ts';
import type { Job, JobAction, JobPolicy, NewJob } from '../jobs/job.ts';
import { Problem } from '../problems.ts';
import { isNotSent, unreachable } from '../redis/connection.ts';
import type { Redis } from '../redis/connection.ts';
import { scriptsOf } from '../redis/scripts.ts';
import type { Script } from '../redis/scripts.ts';
import { eventsOf, pauseAfter } from './changes.ts';
import type { Told } from './changes.ts';
import { LEDGER_SCRIPTS } from './redis-scripts.ts';

interface LedgerOptions {
  readonly redis: Redis;
  /** Of all keys, `{…}:`. */
  readonly prefix: string;
  readonly policy: JobPolicy;
  readonly maxWaiting: number;
  readonly now: () => number;
}

/** Under which conditions a change holds, and what it says beside the job. */
interface Terms {
  /** The fence: whoever holds the job has this token. */
  readonly token?: string;
  /** Whoever takes it gets this one, */
  readonly claim?: string;
  /** as long as it holds this lock, */
  readonly lock?: string;
  /** and is known by this name. */
  readonly owner?: string;
  /** Documents that were written without an answer: one of them may be what is there. */
  readonly tried?: string[];
}

/** Why nothing was written: somebody else has the job by now, nobody has it, or the lock is not held any more. */
export type Unchanged = 'lost' | 'gone' | 'unlocked';

export interface Change {
  readonly before: Job;
  readonly after: Job;
  /** Which of the job's tickets is valid from now on; 0 where that was not told. */
  readonly hop: number;
  /** Milliseconds since 1970 before which it is not to be taken. */
  readonly due: number;
}

type Answer = readonly ['done' | 'changed' | Unchanged, string?];

/** A job for whoever has a ticket of it. */
export interface Ticketed {
  readonly job: Job;
  readonly hop: number;
  readonly due: number;
  /** Of whoever runs it. */
  readonly token: string | null;
}

/** A job whose ticket is to be added, and which of its tickets that is. */
export interface OwedTicket {
  readonly job: Job;
  readonly hop: number;
}

const REPAIRED_AT_ONCE = 100;

export class RedisLedger {
  readonly #options: LedgerOptions;
  readonly #scripts: Readonly<Record<keyof typeof LEDGER_SCRIPTS, Script>>;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#scripts = scriptsOf(options.redis, LEDGER_SCRIPTS);
  }

  /** Rejects `backend_unavailable` where Redis cannot be reached. */
  async call(script: keyof typeof LEDGER_SCRIPTS, ...args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.#scripts[script]([this.#options.prefix], args);
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** `added` is false for one that was there: by its key, or by its id. Rejects `overloaded` past the bound. */
  async add(asked: NewJob): Promise<{ readonly job: Job; readonly added: boolean }> {
    const { maxWaiting, now } = this.#options;
    const at = now();
    const job = newJob(asked, at);
    const more = { max: maxWaiting, ticket: true, events: [{ type: 'queued' as const }] };
    const stored = await this.#insert(job, at, asked.idempotencyKey ?? undefined, more);
    if (stored === 'full') {
      throw new Problem(
        'overloaded',
        `${maxWaiting} jobs are waiting, more than that are not accepted. Nothing was kept; send it again when some are done.`,
        { retryAfter: 5 },
      );
    }
    return { job: stored ?? job, added: stored === undefined };
  }

  /** Takes a job over as it was elsewhere; undefined if one of that id or key is there. */
  async restore({ job, idempotencyKey, owed }: KeptJob): Promise<Job | undefined> {
    const { policy, now } = this.#options;
    const at = now();
    const restored = advance(job, { type: 'hand_back' }, at, policy);
    const waits = restored.status === 'queued';
    const isNews = !isFinished(job);
    const stored = await this.#insert(restored, at, idempotencyKey ?? undefined, {
      ticket: waits,
      events: isNews ? [{ type: waits ? 'queued' : 'cancelled' }] : [],
      // One that was to be cancelled ends by that, here and now.
      ...((owed || (isNews && !waits)) && { ended: isNews ? at : (job.finishedAt ?? at) }),
    });
    return stored === undefined ? restored : undefined;
  }

  /** Undefined if the job is not there. */
  async cancel(id: string): Promise<Change | undefined> {
    const job = await this.read(id);
    if (job === undefined) return undefined;
    const change = await this.change(job, { type: 'cancel' });
    return typeof change === 'string' ? undefined : change;
  }

  async read(id: string): Promise<Job | undefined> {
    const doc = await this.call('get', id, '');
    return typeof doc === 'string' ? (JSON.parse(doc) as Job) : undefined;
  }

  async ticketed(id: string): Promise<Ticketed | undefined> {
    const answer = (await this.call('ticket', id)) as [string, string, string, string | null] | null;
    if (answer === null) return undefined;
    const [doc, hop, due, token] = answer;
    return { job: JSON.parse(doc) as Job, hop: Number(hop), due: Number(due), token };
  }

  /**
   * Writes what an action makes of a job, if it makes anything of it; `known` is how it was seen last. A write that got no
   * answer and took place all the same is found again by `tried`.
   */
  async change(
    known: Job,
    action: JobAction | readonly JobAction[],
    terms: Terms = {},
  ): Promise<Change | Unchanged> {
    const { now, policy } = this.#options;
    const actions = Array.isArray(action) ? (action as readonly JobAction[]) : [action as JobAction];
    for (let before = known; ; ) {
      const at = now();
      const after = actions.reduce((job, step) => advance(job, step, at, policy), before);
      if (after === before) return { before, after, hop: 0, due: 0 };
      const pause = Math.max(...actions.map((step) => pauseAfter(step, before, after)));
      const due = pause > 0 ? at + pause : 0;
      const doc = JSON.stringify(after);
      const answer = await this.#commit(before, after, doc, { at, due, terms });
      const [outcome, found] = answer;
      if (outcome === 'done') return { before, after, hop: Number(found), due };
      if (found !== undefined && terms.tried?.includes(found) === true) {
        return { before, after: JSON.parse(found) as Job, hop: 0, due };
      }
      if (outcome !== 'changed') return outcome;
      before = JSON.parse(found ?? '') as Job;
    }
  }

  /** `isFree`: nobody works on it any more, so it ended here and now. */
  async remove(id: string): Promise<
    | {
        readonly before: Job;
        readonly after: Job;
        readonly hop: number;
        readonly isFree: boolean;
      }
    | undefined
  > {
    const { now, policy } = this.#options;
    const at = now();
    const answer = (await this.call('remove', id, at)) as [string, string, number] | null;
    if (answer === null) return undefined;
    const [doc, hop, locked] = answer;
    const before = JSON.parse(doc) as Job;
    const after = advance(before, { type: 'cancel' }, at, policy);
    const isFree = before.status === 'queued' || (before.status === 'running' && locked === 0);
    return { before, after, hop: Number(hop), isFree };
  }

  /** The running jobs of an owner, with the tokens by which it holds them. */
  async heldBy(owner: string): Promise<readonly { readonly job: Job; readonly token: string }[]> {
    const answer = (await this.call('held', owner)) as [string, string][];
    return answer.map(([doc, token]) => ({ job: JSON.parse(doc) as Job, token }));
  }

  /** What was owed for the end of a job is done. */
  async acknowledge(id: string): Promise<void> {
    await this.#forget('endings', id);
  }

  /**
   * Some of the tickets that are owed for longer than so many milliseconds. Nobody else is told of them for as long again.
   * `isAll`: there are no more.
   */
  async owed(
    milliseconds: number,
  ): Promise<{ readonly tickets: readonly OwedTicket[]; readonly isAll: boolean }> {
    const at = this.#options.now();
    const answer = await this.call('owed', at - milliseconds, REPAIRED_AT_ONCE, at);
    const [looked, ...found] = answer as [number, ...[string, string][]];
    const tickets = found.map(([doc, hop]) => ({ job: JSON.parse(doc) as Job, hop: Number(hop) }));
    return { tickets, isAll: looked < REPAIRED_AT_ONCE };
  }

  /** The ticket of a job is there. */
  async settleTicket(id: string, hop: number): Promise<void> {
    await this.#forget('owed', `${id}-${hop}`);
  }

  async #forget(set: string, member: string): Promise<void> {
    try {
      await this.#options.redis.zrem(`${this.#options.prefix}${set}`, member);
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** Undefined: it was added. */
  async #insert(
    job: Job,
    at: number,
    key: string | undefined,
    more: {
      readonly max?: number;
      readonly ticket: boolean;
      readonly events: readonly Told[];
      readonly ended?: number;
    },
  ): Promise<Job | 'full' | undefined> {
    const facts = { ...factsOf(job), at: job.createdAt, now: at, key, ...more };
    const answer = await this.call('add', JSON.stringify(facts), JSON.stringify(job));
    const [outcome, doc] = answer as [string, string];
    if (outcome === 'full') return 'full';
    return outcome === 'known' ? (JSON.parse(doc) as Job) : undefined;
  }

  async #commit(
    before: Job,
    after: Job,
    doc: string,
    { at, due, terms }: { readonly at: number; readonly due: number; readonly terms: Terms },
  ): Promise<Answer> {
    const { token, claim, lock, owner, tried } = terms;
    const facts = {
      ...factsOf(after),
      from: before.revision,
      at: after.createdAt,
      now: at,
      due,
      events: eventsOf(before, after),
      // A ticket is of one lane only.
      ticket: after.status === 'queued' && after.lane !== before.lane ? true : undefined,
      ended: isFinished(after) ? at : undefined,
      ...{ token, claim, lock, owner },
    };
    try {
      const answer = await this.#scripts.commit([this.#options.prefix], [JSON.stringify(facts), doc]);
      return answer as Answer;
    } catch (error) {
      if (!isNotSent(error)) tried?.push(doc);
      throw unreachable(error);
    }
  }
}

/** What the scripts have to know of a job, so that they need not read its document. */
function factsOf({ id, tenant, lane, status, revision, expiresAt, cancelRequested }: Job): object {
  return {
    ...{ id, tenant, lane, status },
    rev: revision,
    cancel: cancelRequested ? 1 : 0,
    ...(expiresAt !== null && { expires: expiresAt }),
  };
}
