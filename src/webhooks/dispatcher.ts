// Sends what is due: each process for itself, one of them each delivery.

import { rest } from '../lib/pause.ts';
import type { HintBus, Records, Stored } from '../contracts.ts';
import type { SafePost } from '../lib/safe-post.ts';
import { attemptDelivery } from './attempt.ts';
import type { Attempted } from './attempt.ts';
import {
  claimed,
  concluded,
  DELIVERIES,
  dropped,
  dropReason,
  handedBack,
  LEASE_MS,
  outcomeOf,
  placeOf,
} from './delivery.ts';
import type { Delivery } from './delivery.ts';
import type { DeliveryOutcome } from '../metrics/metrics.ts';
import { dueInTurn, tenantOf } from './due.ts';
import type { Due } from './due.ts';
import { afterAttempt, signingSecrets } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import type { Endpoints } from './endpoints.ts';
import { ownSecretsOf } from './own-secrets.ts';
import { openPlaces } from './places.ts';

/** What the dispatcher reports to people; pino fits. */
export interface WebhookLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface DispatcherOptions {
  readonly records: Records;
  readonly endpoints: Endpoints;
  readonly hints: HintBus;
  readonly post: SafePost;
  /** Of this process's life: marks what it is sending. */
  readonly owner: string;
  /** WEBHOOK_SECRETS: sign what goes to an address that a job named itself. */
  readonly ownSecrets: readonly string[];
  readonly userAgent: string;
  readonly log: WebhookLog;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Aborted when the process begins to leave: it sends nothing new from then on. */
  readonly leaving?: AbortSignal | undefined;
  /** Told how each attempt went, for whoever counts them. */
  readonly onAttempt?: ((outcome: DeliveryOutcome) => void) | undefined;
  /** Milliseconds between looks at what is due. */
  readonly pollMs?: number;
}

export interface Dispatcher {
  /** Something is due from now on. */
  wake(): void;
  /** Waits for what is being sent until `deadline` (milliseconds since 1970), then breaks it off and gives it back. */
  close(deadline: number): Promise<void>;
}

const MOST_AT_ONCE = 8;
const MOST_PER_TENANT = 3;
const MOST_PER_HOST = 2;
/** To hosts that failed last, or never answered yet: the other places are left to those that are known to answer. */
const MOST_TO_DOUBTFUL = 4;
/** How many that are due one look takes in. */
const LOOK = 64;
/** So many of a full look may stay due though there is no place for them; the others make room for what is due behind them. */
const MOST_LEFT = LOOK / 2;

export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const { records, endpoints, hints, owner, now, log, pollMs = 1000 } = options;
  const sending = new Map<string, Promise<void>>();
  const places = openPlaces({
    perTenant: MOST_PER_TENANT,
    perHost: MOST_PER_HOST,
    forDoubtful: MOST_TO_DOUBTFUL,
    now,
  });
  const broken = new AbortController();
  let closed = false;
  let looking: Promise<void> | undefined;
  let again = false;
  let complained = false;
  let timer: NodeJS.Timeout | undefined;

  const isLeaving = (): boolean => closed || options.leaving?.aborted === true;

  function wake(): void {
    // Others have places, or will still be there.
    if (isLeaving() || sending.size >= MOST_AT_ONCE) hints.publish({ topic: 'delivery' });
    else lookNow();
  }

  function lookNow(): void {
    if (isLeaving()) return;
    again = true;
    looking ??= looks().finally(() => {
      looking = undefined;
      if (again) lookNow();
      else schedule();
    });
  }

  function schedule(): void {
    clearTimeout(timer);
    if (!isLeaving()) timer = setTimeout(lookNow, pollMs * (0.5 + Math.random() / 2));
  }

  async function looks(): Promise<void> {
    try {
      while (again && !isLeaving()) {
        again = false;
        await look();
      }
    } catch (error) {
      again = false;
      complain(error);
    }
  }

  async function look(): Promise<void> {
    if (sending.size >= MOST_AT_ONCE) return;
    const due = await records.due(DELIVERIES, now(), LOOK);
    const waiting = due.filter(({ id }) => !sending.has(id));
    const left: Due[] = [];
    for (const each of await dueInTurn(waiting, endpoints, (tenant) => places.underway(tenant))) {
      if (isLeaving()) return;
      const leave = sending.size < MOST_AT_ONCE ? places.enter(tenantOf(each), each.host) : undefined;
      if (leave === undefined) left.push(each);
      else start(each.stored, leave);
    }
    if (due.length < LOOK || left.length <= MOST_LEFT) return;
    // Else a full look at who has no place would hide all that is due to others.
    await Promise.all(left.slice(MOST_LEFT).map(putBack));
    again = true;
  }

  async function putBack({ stored, host }: Due): Promise<void> {
    const { id, value, version } = stored;
    const later = handedBack(value, places.later(value.tenant, host));
    await records.put(DELIVERIES, id, later, placeOf(later), version);
  }

  function start(stored: Stored<Delivery>, leave: (ok: boolean | undefined) => void): void {
    const run = send(stored).then(
      (ok) => {
        leave(ok);
        sending.delete(stored.id);
        // A place is free, and more may be due.
        lookNow();
      },
      (error: unknown) => {
        leave(undefined);
        sending.delete(stored.id);
        complain(error);
        // Not at once: a full disk stays full for a while.
        if (looking === undefined) schedule();
      },
    );
    sending.set(stored.id, run);
  }

  function complain(error: unknown): void {
    if (!complained) log.warn({ err: error }, 'webhooks cannot be sent, or written down, at present');
    complained = true;
  }

  /** Whether the receiver took it; undefined if it was not sent. */
  async function send({ id, value, version }: Stored<Delivery>): Promise<boolean | undefined> {
    if (value.state !== 'pending') {
      // It has no business among what is due, and every look would find it there again.
      await records.put(DELIVERIES, id, value, placeOf(value), version);
      return undefined;
    }
    const { tenant, endpointId } = value;
    const endpoint = endpointId === null ? undefined : await endpoints.get(tenant, endpointId);
    const secrets =
      endpoint === undefined ? ownSecretsOf(options.ownSecrets, tenant) : signingSecrets(endpoint, now());
    const why = dropReason(value, endpoint) ?? (secrets.length === 0 ? NO_SECRET : undefined);
    if (why !== undefined) {
      const over = dropped(value, why);
      await records.put(DELIVERIES, id, over, placeOf(over), version);
      return undefined;
    }
    const taken = claimed(value, owner, endpoint?.url ?? value.url, now());
    // Somebody else was first.
    if (!(await records.put(DELIVERIES, id, taken, placeOf(taken), version))) return undefined;
    const { post, userAgent } = options;
    const made = await attemptDelivery(taken, { post, secrets, userAgent, now, signal: broken.signal });
    if (made === undefined) {
      const back = handedBack(taken, now());
      await records.put(DELIVERIES, id, back, placeOf(back), version + 1);
      return undefined;
    }
    const { attempt } = made;
    // What the old address says is no word of the new one.
    const hasMoved =
      endpoint !== undefined && (await endpoints.get(tenant, endpoint.id))?.url !== endpoint.url;
    const outcome = outcomeOf(attempt, hasMoved);
    const after = await writeDown(id, made, hasMoved);
    options.onAttempt?.(
      outcome === 'delivered' ? outcome : after?.state === 'pending' ? 'retried' : 'abandoned',
    );
    complained = false;
    if (endpoint !== undefined) await tell(tenant, endpoint, outcome);
    const fields = { deliveryId: id, status: attempt.status, error: attempt.error, ms: attempt.ms };
    if (outcome === 'delivered') log.info(fields, 'webhook delivered');
    else log.warn(fields, 'an attempt to send a webhook failed');
    return outcome === 'delivered';
  }

  /** To the newest version: a replay, or a process that took it over, may have written meanwhile. */
  async function writeDown(
    id: string,
    { attempt, wish }: Attempted,
    hasMoved: boolean,
  ): Promise<Delivery | undefined> {
    for (;;) {
      const stored = await records.get(DELIVERIES, id);
      if (stored === undefined) return undefined;
      const after = concluded(stored.value, attempt, { now: now(), wish, hasMoved });
      if (await records.put(DELIVERIES, id, after, placeOf(after), stored.version)) return after;
    }
  }

  async function tell(
    tenant: string,
    { id, url }: Endpoint,
    outcome: ReturnType<typeof outcomeOf>,
  ): Promise<void> {
    let reason: string | null = null;
    await endpoints.update(tenant, id, (endpoint) => {
      const after = afterAttempt(endpoint, { url, outcome }, now());
      reason = endpoint.disabledAt === null && after.disabledAt !== null ? after.disabledReason : null;
      return after;
    });
    if (reason !== null) log.warn({ webhookId: id, tenant, reason }, 'a webhook was disabled');
  }

  /** What a dead process was sending is due at once, instead of after its lease. */
  async function takeOver(dead: string): Promise<void> {
    // Its clock need not be ours.
    for (const stored of await records.due(DELIVERIES, now() + 2 * LEASE_MS, 10 * LOOK)) {
      if (stored.value.lease?.owner !== dead) continue;
      const back = handedBack(stored.value, now());
      await records.put(DELIVERIES, stored.id, back, placeOf(back), stored.version);
    }
    lookNow();
  }

  const unsubscribe = hints.subscribe((hint) => {
    if (hint.topic === 'delivery') lookNow();
    if (hint.topic === 'abandoned' && hint.owner !== owner && !isLeaving()) {
      takeOver(hint.owner).catch((error: unknown) =>
        log.warn({ err: error }, 'the webhooks of a dead process could not be taken over'),
      );
    }
  });
  lookNow();

  return {
    wake,
    async close(deadline) {
      closed = true;
      unsubscribe();
      clearTimeout(timer);
      await looking;
      const over = new AbortController();
      const patience = Math.max(0, deadline - Date.now());
      await Promise.race([Promise.all(sending.values()), rest(patience, over.signal)]);
      over.abort();
      broken.abort();
      await Promise.all(sending.values());
    },
  };
}

const NO_SECRET = 'the server has no WEBHOOK_SECRETS any more to sign it with';
