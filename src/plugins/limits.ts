// How much a tenant may use: requests, requests at once, bytes, jobs, minutes. Refused before a body is read, by 429.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { randomUUID } from 'node:crypto';
import { accountOf, bytesADay, dayIsFull } from '../access/accounts.ts';
import { UNLIMITED } from '../access/caller.ts';
import type { JobQueue, Meters } from '../contracts.ts';
import { Problem } from '../problems.ts';
import { bodyMeter } from './body-meter.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer stays open for as long as the client likes. */
    held?: boolean;
  }
  interface FastifyRequest {
    /** Rejects `quota_exceeded` where the tenant has as many jobs as it may. The place is kept until the answer. */
    admitTenantJob(): Promise<void>;
    /** Rejects `quota_exceeded` where the tenant's minutes of today are used up. */
    admitTenantMinutes(): Promise<void>;
    /** Rejects `quota_exceeded` where the tenant's bytes of today are used up: for what brings none, but has some fetched. */
    admitTenantBytes(): Promise<void>;
    /** Puts bytes on the tenant's account that come by no body; rejects `quota_exceeded` where it cannot bear them. */
    spendTenantBytes(bytes: number): Promise<void>;
    /** Puts minutes on the tenant's account that the end of no job will. Nobody waits for it. */
    chargeTenantMinutes(minutes: number): void;
  }
}

export interface LimitsOptions {
  readonly meters: Meters;
  readonly queue: Pick<JobQueue, 'counts'>;
  /** Milliseconds since 1970, the same for all machines: days change at once. */
  readonly now: () => number;
}

/** A place of a process that died is free so much later, in milliseconds. */
const LEASE_MS = 60_000;
const RENEW_EVERY_MS = 20_000;
/** What may come at once, of what may come in a minute: ten seconds' worth. */
const BURST_MINUTES = 1 / 6;
/** A job that is refused is asked for again by and by, in seconds. */
const BUSY_RETRY_SECONDS = 10;
const WORKS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * Registered after auth. Public and signed addresses are not counted: a picture out of the cache must stay cheap, and
 * nobody can have others made than were signed for.
 */
export const limits = fp(
  async (app: FastifyInstance, { meters, queue, now }: LimitsOptions) => {
    app.decorateRequest('admitTenantJob', async () => undefined);
    app.decorateRequest('admitTenantMinutes', async () => undefined);
    app.decorateRequest('admitTenantBytes', async () => undefined);
    app.decorateRequest('spendTenantBytes', async () => undefined);
    app.decorateRequest('chargeTenantMinutes', function charge(this: FastifyRequest, minutes: number) {
      const account = accountOf('minutes', this.caller.tenant, now());
      if (minutes > 0) meters.spend(account.name, minutes, account.keptUntil).catch(ignore);
    });

    const held = new Map<string, string>();
    const process = randomUUID();
    let count = 0;
    const newHolder = (): string => `${process}-${count++}`;
    const bodies = bodyMeter({ meters, newHolder, onError: ignore });
    const renewal = setInterval(() => {
      for (const [holder, gate] of held) meters.renew(gate, holder, LEASE_MS).catch(ignore);
    }, RENEW_EVERY_MS);
    app.addHook('onClose', async () => {
      clearInterval(renewal);
      bodies.close();
    });
    /** A count that could not be written down holds up nobody: leases run out, and days end. */
    function ignore(error: unknown): void {
      app.log.warn({ err: error }, 'a count of a tenant could not be written');
    }

    /** Takes a place until the answer is closed. Undefined: there is none. Else the function that gives it back before. */
    async function hold(
      gate: string,
      most: number,
      { raw }: FastifyReply,
    ): Promise<(() => void) | undefined> {
      const holder = newHolder();
      if (!(await meters.enter(gate, most, holder, LEASE_MS))) return undefined;
      const giveBack = (): void => {
        if (held.delete(holder)) meters.leave(gate, holder).catch(ignore);
      };
      held.set(holder, gate);
      // Of a client that left meanwhile, `close` has been and will not come again.
      if (raw.destroyed || raw.closed) giveBack();
      else raw.once('close', giveBack);
      return giveBack;
    }

    app.addHook('onRequest', async (request, reply) => {
      const { caller } = request;
      if (caller.limits === UNLIMITED) return;
      const { requestsPerMinute, concurrentRequests, bytesPerDay } = caller.limits;
      const { tenant } = caller;
      request.admitTenantJob = () => admitJob(request, reply);
      request.admitTenantMinutes = () => admitMinutes(request);
      request.admitTenantBytes = () => admitBytes(request);
      request.spendTenantBytes = (bytes) => spendBytes(request, bytes);
      if (requestsPerMinute !== null) await countRequest(tenant, requestsPerMinute, reply);
      const isHeld = request.method === 'GET' && request.routeOptions.config.held === true;
      if (!isHeld && !WORKS.has(request.method)) return;
      if (concurrentRequests !== null) {
        // Streams of events are counted for themselves: whoever watches may still work.
        const gate = `${isHeld ? 'streams' : 'requests'}:${tenant}`;
        if ((await hold(gate, concurrentRequests, reply)) === undefined) {
          throw new Problem(
            'rate_limited',
            `The tenant ${tenant} has ${concurrentRequests} ${isHeld ? 'streams open' : 'requests under way'}, which is the most it may have at once. Try again when one has ended.`,
          );
        }
      }
      if (bytesPerDay !== null) {
        const account = accountOf('bytes', tenant, now());
        if (!(await bodies.admit(request, reply, account, bytesPerDay)))
          throw dayIsFull(account, bytesADay(tenant, bytesPerDay), now());
      }
    });

    async function countRequest(tenant: string, perMinute: number, reply: FastifyReply): Promise<void> {
      // With a minute's worth at once, nearly twice as many as a minute allows could pass within one.
      const burst = Math.ceil(perMinute * BURST_MINUTES);
      const { allowed, remaining, resetMs, retryMs } = await meters.take(`requests:${tenant}`, {
        perMinute,
        burst,
      });
      // draft-ietf-httpapi-ratelimit-headers-10: so many at once, and the time in which they come back.
      void reply
        .header('ratelimit-policy', `"requests";q=${burst};w=${Math.ceil((burst * 60) / perMinute)}`)
        .header('ratelimit', `"requests";r=${remaining};t=${Math.ceil(resetMs / 1000)}`);
      if (allowed) return;
      throw new Problem(
        'rate_limited',
        `The tenant ${tenant} may make ${perMinute} requests a minute, and ${burst} at once. Wait as long as Retry-After says.`,
        { retryAfter: Math.max(1, Math.ceil(retryMs / 1000)) },
      );
    }

    /**
     * Those that are admitted and not yet queued hold places, so that many at once cannot all be the last. A job that is
     * queued and still holds its place counts twice for that moment: some may be refused too early, none too late.
     */
    async function admitJob(
      { caller: { tenant, limits } }: FastifyRequest,
      reply: FastifyReply,
    ): Promise<void> {
      const most = limits.activeJobs;
      if (most === null) return;
      for (let tries = 0; tries < 5; tries++) {
        const before = await activeJobs(tenant);
        const giveBack = before < most ? await hold(`jobs:${tenant}`, most - before, reply) : undefined;
        if (giveBack === undefined) break;
        // A place that became free in between, because its job is queued now, was not ours to take.
        if ((await activeJobs(tenant)) <= before) return;
        giveBack();
      }
      throw new Problem(
        'quota_exceeded',
        `The tenant ${tenant} may have ${most} jobs that wait or run, and has. Try again when one has ended.`,
        { retryAfter: BUSY_RETRY_SECONDS },
      );
    }

    async function activeJobs(tenant: string): Promise<number> {
      const { queued, running } = await queue.counts(tenant);
      return queued + running;
    }

    /** What has begun is ended: minutes are charged when a job ends, and only then known. */
    async function admitMinutes({ caller: { tenant, limits } }: FastifyRequest): Promise<void> {
      const most = limits.minutesPerDay;
      if (most === null) return;
      const account = accountOf('minutes', tenant, now());
      if ((await meters.spent(account.name)) < most) return;
      throw dayIsFull(account, `The tenant ${tenant} may have ${most} minutes worked on a day`, now());
    }

    /** Set aside first: many at once cannot all be the last. */
    async function spendBytes({ caller: { tenant, limits } }: FastifyRequest, bytes: number): Promise<void> {
      const most = limits.bytesPerDay;
      if (most === null) return;
      const account = accountOf('bytes', tenant, now());
      const holder = newHolder();
      if (!(await meters.reserve(account.name, bytes, most, holder, LEASE_MS)))
        throw dayIsFull(account, bytesADay(tenant, most), now());
      await meters.settle(account.name, bytes, account.keptUntil, { holder, left: 0, leaseMs: LEASE_MS });
    }

    /** The bytes themselves are charged as they come (access/fetched-bytes.ts): how many there are, nobody knows yet. */
    async function admitBytes({ caller: { tenant, limits } }: FastifyRequest): Promise<void> {
      const most = limits.bytesPerDay;
      if (most === null) return;
      const account = accountOf('bytes', tenant, now());
      if ((await meters.spent(account.name)) < most) return;
      throw dayIsFull(account, bytesADay(tenant, most), now());
    }
  },
  { name: 'limits', dependencies: ['auth'] },
);
