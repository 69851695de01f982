// Counts the bytes of bodies into an account: what is announced is set aside, what has come is spent.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Account } from '../access/accounts.ts';
import type { Meters } from '../contracts.ts';
import { Problem } from '../problems.ts';
import { contentLength } from './media-body.ts';

export interface BodyMeter {
  /** False where the account cannot bear the body. Else the account is settled when the answer is closed. */
  admit(request: FastifyRequest, reply: FastifyReply, account: Account, most: number): Promise<boolean>;
  close(): void;
}

interface OpenBody {
  readonly holder: string;
  readonly account: Account;
  readonly most: number;
  /** Bytes; undefined of one that did not say how long it is. */
  readonly announced: number | undefined;
  /** Bytes that have come. */
  come(): number;
  /** Bytes that the account has borne. */
  paid: number;
  /** When what is still to come was set aside, on a clock that never jumps. */
  renewedAt: number;
  breakOff(): void;
}

/** How often bodies are charged while they come, in milliseconds. */
const CHARGE_EVERY_MS = 2000;
/** What a process that died had set aside is free so much later, in milliseconds. */
const LEASE_MS = 60_000;
const RENEW_EVERY_MS = 20_000;

export function bodyMeter({
  meters,
  newHolder,
  onError,
}: {
  readonly meters: Meters;
  /** A name that nobody else has, in any process. */
  readonly newHolder: () => string;
  readonly onError: (error: unknown) => void;
}): BodyMeter {
  const underWay = new Set<OpenBody>();

  async function charge(body: OpenBody, left: number): Promise<void> {
    const { account, holder } = body;
    const bytes = body.come() - body.paid;
    body.paid += bytes;
    body.renewedAt = performance.now();
    const spent = await meters.settle(account.name, bytes, account.keptUntil, {
      holder,
      left,
      leaseMs: LEASE_MS,
    });
    if (body.announced === undefined && spent > body.most && underWay.delete(body)) body.breakOff();
  }

  /** Charges what has come of the bodies under way, and keeps the rest of them set aside. */
  async function beat(): Promise<void> {
    const due = [...underWay].filter(
      (body) => body.come() > body.paid || performance.now() - body.renewedAt >= RENEW_EVERY_MS,
    );
    // Asked before anything is awaited: what is settled meanwhile must not be set aside again.
    const charged = due.map((body) => charge(body, Math.max(0, (body.announced ?? 0) - body.come())));
    await Promise.all(charged);
  }
  const timer = setInterval(() => void beat().catch(onError), CHARGE_EVERY_MS);

  return {
    async admit(request, reply, account, most) {
      const announced = contentLength(request);
      const isUnbounded = announced === undefined && request.headers['transfer-encoding'] !== undefined;
      if (!isUnbounded && (announced === undefined || announced === 0)) return true;
      const { raw } = request;
      const { socket } = raw;
      // Of the body, some may have come together with the headers.
      const begin = socket.bytesRead - raw.readableLength;
      const holder = newHolder();
      // Set aside before it comes: many at once cannot all be the last. At least a byte is to come in any case.
      if (!(await meters.reserve(account.name, announced ?? 1, most, holder, LEASE_MS))) return false;
      const body: OpenBody = {
        holder,
        account,
        most,
        announced,
        come() {
          if (announced !== undefined && raw.complete) return announced;
          return Math.min(socket.bytesRead - begin, announced ?? Number.POSITIVE_INFINITY);
        },
        paid: 0,
        renewedAt: performance.now(),
        breakOff: () => breakOff(request, reply),
      };
      const settle = (): void => {
        underWay.delete(body);
        charge(body, 0).catch(onError);
      };
      if (reply.raw.destroyed || reply.raw.closed) settle();
      else {
        underWay.add(body);
        reply.raw.once('close', settle);
      }
      return true;
    },

    close: () => clearInterval(timer),
  };
}

/** Told to whoever reads the body, so that they leave nothing behind; destroying it would take the socket along. */
function breakOff({ raw }: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem(
    'quota_exceeded',
    'The tenant has sent as many bytes as it may today. Nothing of this body was kept.',
  );
  if (raw.listenerCount('error') > 0) raw.emit('error', problem);
  else if (!reply.sent) void reply.send(problem);
}
