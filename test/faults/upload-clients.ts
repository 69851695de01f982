// Clients of tus that behave as badly as networks, tabs and proxies make them.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../support/client.ts';
import type { Random } from '../support/random.ts';
import { OFFSET_BYTES, openPatch, patch, tus } from '../support/tus.ts';

export interface Sent {
  readonly path: string;
  readonly bytes: Buffer;
}

export interface ClientOptions {
  readonly address: () => string;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Tells of an answer that no server may give. */
  readonly complain: (what: string) => void;
  /** A connection ended without an answer. */
  readonly cutOff: () => void;
}

type Move = (at: number) => Promise<unknown>;

/** What a client may be told besides success, by itself or because of kills, and comes again. */
const RETRIED = new Set([404, 408, 409, 423, 503]);
const GIVE_UP_MS = 90_000;
/** By chance, one in eleven moves sends all that is left. */
const FREQUENT = ['piece', 'checksum', 'abort', 'stall', 'race'];
const MOST_PIECE = 400_000;

/** Sends one file until it is complete. A `part` is not put together by itself. */
export async function sendFile(bytes: Buffer, part: boolean, options: ClientOptions): Promise<Sent> {
  const { random, signal, complain } = options;
  const end = performance.now() + GIVE_UP_MS;
  const path = await created(bytes, part, options);
  const open: ReturnType<typeof openPatch>[] = [];
  const rest = (at: number): Buffer => bytes.subarray(at);
  const judge = (
    move: string,
    { status, body }: Pick<Answer, 'status' | 'body'>,
    also: number[] = [],
  ): void => {
    if (status === 204 || RETRIED.has(status) || also.includes(status)) return;
    complain(`${move} was answered ${status}: ${body.toString().slice(0, 200)}`);
  };
  const piece = (at: number): Buffer =>
    rest(at).subarray(0, random.between(1, Math.min(rest(at).length, MOST_PIECE)));
  const moves: Record<string, Move> = {
    whole: async (at) => judge('the rest', await patch(options.address(), path, at, rest(at))),
    piece: async (at) => judge('a piece', await patch(options.address(), path, at, piece(at))),
    async checksum(at) {
      const sent = Buffer.from(piece(at));
      const digest = createHash('sha256').update(sent).digest('base64');
      const damaged = random.next() < 0.5;
      const place = random.between(0, sent.length - 1);
      if (damaged) sent[place] = (sent[place] ?? 0) ^ 0xff;
      const answer = await patch(options.address(), path, at, sent, {
        'upload-checksum': `sha256 ${digest}`,
      });
      if (damaged && answer.status === 204) complain('damaged bytes were taken under a checksum');
      judge('a checksum', answer, [460]);
    },
    async abort(at) {
      const { outgoing } = openPatch(options.address(), path, at, rest(at).length);
      await dribble(outgoing, piece(at), random, signal);
      outgoing.destroy();
    },
    /** Stays open, and is heard of again when somebody else has gone on. */
    async stall(at) {
      const half = openPatch(options.address(), path, at, rest(at).length + 1000);
      open.push(half);
      await dribble(half.outgoing, piece(at).subarray(0, 100_000), random, signal);
    },
    async race(at) {
      const answers = await Promise.allSettled([
        patch(options.address(), path, at, piece(at)),
        patch(options.address(), path, at, piece(at)),
      ]);
      for (const each of answers) if (each.status === 'fulfilled') judge('a race', each.value);
    },
  };
  try {
    for (;;) {
      signal.throwIfAborted();
      if (performance.now() > end) throw new Error(`${path} could not be completed`);
      const at = await offset(path, options);
      // Whoever stalled was asked to end: what it sends from now on may not count.
      for (const { outgoing } of open.splice(0)) {
        outgoing.write(Buffer.alloc(50_000, 'intruder'));
        outgoing.end();
      }
      if (at === undefined) continue;
      if (at === bytes.length) return { path, bytes };
      const name = random.pick(['whole', ...FREQUENT, ...FREQUENT]);
      // A killed process resets its connections: the client comes again.
      await moves[name]?.(at).catch(options.cutOff);
    }
  } finally {
    for (const { outgoing } of open) outgoing.destroy();
  }
}

/** Sends the parts of a file at once, and has them put together. */
export async function sendInParts(bytes: Buffer, options: ClientOptions): Promise<Sent> {
  const third = Math.floor(bytes.length / 3);
  const cuts = [bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)];
  const parts = await Promise.all(cuts.map((cut) => sendFile(cut, true, options)));
  const concat = `final;${parts.map(({ path }) => path).join(' ')}`;
  const answer = await persistently(options, () =>
    tus(options.address(), 'POST', '/v1/uploads', { 'upload-concat': concat }),
  );
  if (answer.status !== 201)
    throw new Error(`the parts were answered ${answer.status}: ${answer.body.toString()}`);
  const path = String(answer.headers.location);
  // It may still be put together behind the answer: then HEAD does not tell how far it is.
  const end = performance.now() + GIVE_UP_MS;
  while ((await offset(path, options)) !== bytes.length) {
    if (performance.now() > end) throw new Error(`${path} was not put together`);
    await sleep(100, undefined, { signal: options.signal });
  }
  return { path, bytes };
}

async function created(bytes: Buffer, part: boolean, options: ClientOptions): Promise<string> {
  const { random } = options;
  const headers: Record<string, string> = {
    ...(part && { 'upload-concat': 'partial' }),
    'upload-length': String(bytes.length),
  };
  const first = random.next() < 0.3 ? bytes.subarray(0, random.between(1, bytes.length)) : undefined;
  const answer = await persistently(options, () =>
    tus(
      options.address(),
      'POST',
      '/v1/uploads',
      first === undefined ? headers : { ...headers, 'content-type': OFFSET_BYTES },
      first,
    ),
  );
  if (answer.status !== 201)
    throw new Error(`the creation was answered ${answer.status}: ${answer.body.toString()}`);
  return String(answer.headers.location);
}

/** Undefined where somebody else goes on just now. */
async function offset(path: string, options: ClientOptions): Promise<number | undefined> {
  const answer = await persistently(options, () => tus(options.address(), 'HEAD', path));
  if (answer.status === 423) return undefined;
  if (answer.status !== 200) throw new Error(`HEAD of ${path} was answered ${answer.status}`);
  return Number(answer.headers['upload-offset']);
}

/** Until there is an answer: kills reset connections, and nobody listens for a moment. */
async function persistently(
  { signal, cutOff }: ClientOptions,
  request: () => Promise<Answer>,
): Promise<Answer> {
  const end = performance.now() + GIVE_UP_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      const answer = await request();
      if (answer.status !== 503) return answer;
    } catch (error) {
      cutOff();
      if (performance.now() > end) throw error;
    }
    await sleep(200, undefined, { signal });
  }
}

async function dribble(
  outgoing: { write(bytes: Uint8Array): boolean; readonly destroyed: boolean },
  bytes: Buffer,
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < bytes.length && !outgoing.destroyed; ) {
    const size = random.between(10_000, 200_000);
    outgoing.write(bytes.subarray(at, at + size));
    at += size;
    await sleep(random.between(1, 15), undefined, { signal });
  }
}
