// Calls with an Idempotency-Key: which are being worked on, and what the finished ones were answered. Shared by all processes.

import { hash } from 'node:crypto';
import type { RecordKind, Records, Stored } from '../contracts.ts';
import { newId } from '../lib/id.ts';
import { Problem } from '../problems.ts';

/** An answer as it is given again. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a body was made of. */
export interface BodySeal {
  /** A hash of the file and the fields. */
  readonly digest: string;
  /** Of the file. */
  readonly bytes: number;
}

interface CallRecord {
  /** The same over all who take the call over: what it makes is marked with it, so that it is made once. */
  readonly generation: string;
  /** A hash of method, path and query: what is known of a call before its body. */
  readonly target: string;
  /** Milliseconds since 1970 until which its request is believed to be at work. */
  readonly until: number;
  /** Milliseconds since 1970. Put off while it is worked on: an upload may take longer than answers are kept. */
  readonly expiresAt: number;
  /** There as soon as the whole body was: before that nothing is made. */
  readonly seal: BodySeal | null;
  /** There when it is done. */
  readonly answer: KeptAnswer | null;
}

const CALLS: RecordKind<CallRecord> = { name: 'idempotency' };

export interface IdempotentCallsOptions {
  readonly records: Records;
  /** How long an answer is kept. */
  readonly keepSeconds: number;
  /** A request that gives no sign of life for so long has died with its process. */
  readonly leaseSeconds: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** The call was answered before; the same answer is due if the body is the same. */
export interface DoneCall {
  readonly kind: 'done';
  readonly seal: BodySeal;
  readonly answer: KeptAnswer;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The call is ours to make. */
export interface OwnCall {
  readonly kind: 'own';
  readonly generation: string;
  /** The whole body is here, and nothing is made yet. Rejects `idempotency_key_reused`, or `idempotency_in_flight` if somebody else took the call over. */
  seal(seal: BodySeal): Promise<void>;
  /** A sign of life. */
  beat(): Promise<void>;
  /** Keeps the answer, durable when it resolves: until when, in milliseconds since 1970. Undefined if somebody else took the call over. Rejects where no `seal` went before: nobody could tell whether a repetition is one. */
  finish(answer: KeptAnswer): Promise<number | undefined>;
  /** Nothing was made: the next request with this key begins anew. */
  release(): Promise<void>;
}

export interface IdempotentCalls {
  /** Rejects `idempotency_key_reused` for another method, path or query, `idempotency_in_flight` while it is worked on. */
  begin(call: {
    readonly tenant: string;
    readonly key: string;
    /** Method, path and query. */
    readonly target: string;
    /**
     * Asked before a call is taken over whose whole body was here: the answer for what was made of that `generation`
     * before its process died. Undefined where nothing was.
     */
    readonly made?: ((generation: string) => Promise<KeptAnswer | undefined>) | undefined;
  }): Promise<DoneCall | OwnCall>;
}

export function idempotentCalls(options: IdempotentCallsOptions): IdempotentCalls {
  const { records, keepSeconds, leaseSeconds, now = records.now } = options;
  const leaseMs = leaseSeconds * 1000;
  const expiry = (): number => now() + keepSeconds * 1000;

  /** Undefined if somebody else was first. */
  async function claim(
    id: string,
    tenant: string,
    target: string,
    known: Stored<CallRecord> | undefined,
  ): Promise<OwnCall | undefined> {
    const mine: CallRecord = {
      generation: known?.value.generation ?? newId(),
      target,
      until: now() + leaseMs,
      expiresAt: expiry(),
      seal: known?.value.seal ?? null,
      answer: null,
    };
    const version = known?.version ?? 0;
    const put = (value: CallRecord, held: number): Promise<boolean> =>
      records.put(CALLS, id, value, { group: tenant, expiresAt: value.expiresAt }, held);
    if (!(await put(mine, version))) return undefined;
    const remove = (held: number): Promise<boolean> => records.delete(CALLS, id, held);
    // Which version a new record has is known to nobody before it is there.
    const written = version === 0 ? await records.get(CALLS, id) : { value: mine, version: version + 1 };
    if (written?.value.generation !== mine.generation) return undefined;
    return own(mine, known !== undefined, { put, remove, version: written.version });
  }

  function own(
    first: CallRecord,
    takenOver: boolean,
    row: {
      put(value: CallRecord, version: number): Promise<boolean>;
      remove(version: number): Promise<boolean>;
      version: number;
    },
  ): OwnCall {
    let value = first;
    let { version } = row;
    let lost = false;
    let last: Promise<unknown> = Promise.resolve();
    /** One after the other: signs of life must not overtake the answer. False: the call is somebody else's by now. */
    const write = (change: Partial<CallRecord> | 'delete'): Promise<boolean> => {
      const written = last.then(async () => {
        if (lost) return false;
        const changed = change === 'delete' ? value : { ...value, expiresAt: expiry(), ...change };
        lost = !(change === 'delete' ? await row.remove(version) : await row.put(changed, version));
        if (!lost) version++;
        value = changed;
        return !lost;
      });
      last = written.catch(() => undefined);
      return written;
    };
    return {
      kind: 'own',
      generation: value.generation,
      async seal(seal) {
        if (value.seal !== null && value.seal.digest !== seal.digest) throw reused('body');
        if (!(await write({ seal, until: now() + leaseMs }))) throw inFlight();
      },
      async beat() {
        await write({ until: now() + leaseMs });
      },
      async finish(answer) {
        if (!lost && value.seal === null) throw new Error('an answer to a body that nobody has sealed');
        const kept = await write({ answer });
        lost = true;
        return kept ? value.expiresAt : undefined;
      },
      async release() {
        // One that was taken over may have been made by the request that died: who comes next must find that.
        await write(takenOver ? { until: 0 } : 'delete');
        lost = true;
      },
    };
  }

  /** What was made of a call whose process died becomes its answer: for good, also if it is removed afterwards. Undefined if nothing was, or somebody else was first. */
  async function settle(
    id: string,
    tenant: string,
    { value, version }: Stored<CallRecord>,
    made: (generation: string) => Promise<KeptAnswer | undefined>,
  ): Promise<DoneCall | undefined> {
    const { seal } = value;
    const answer = seal === null ? undefined : await made(value.generation);
    if (seal === null || answer === undefined) return undefined;
    const done: CallRecord = { ...value, answer, expiresAt: expiry() };
    const { expiresAt } = done;
    const kept = await records.put(CALLS, id, done, { group: tenant, expiresAt }, version);
    return kept ? { kind: 'done', seal, answer, expiresAt } : undefined;
  }

  return {
    async begin({ tenant, key, target: address, made }) {
      const id = hash('sha256', `${tenant}\0${key}`);
      const target = hash('sha256', address);
      for (;;) {
        const known = await records.get(CALLS, id);
        if (known !== undefined) {
          const { value } = known;
          if (value.target !== target) throw reused('method, path or query');
          const { seal, answer, expiresAt } = value;
          if (answer !== null && seal !== null) return { kind: 'done', seal, answer, expiresAt };
          if (value.until > now()) throw inFlight();
          const settled = made && (await settle(id, tenant, known, made));
          if (settled !== undefined) return settled;
        }
        const claimed = await claim(id, tenant, target, known);
        if (claimed !== undefined) return claimed;
      }
    },
  };
}

/** The key was used before, with another `what`. */
export function reused(what: string): Problem {
  return new Problem(
    'idempotency_key_reused',
    `This Idempotency-Key came before with another ${what}. Repeat a request as it was, and use a new key for each new one.`,
  );
}

function inFlight(): Problem {
  return new Problem(
    'idempotency_in_flight',
    'A request with this Idempotency-Key is being worked on. Repeat it when it has ended: its answer is kept.',
  );
}
