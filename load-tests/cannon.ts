// autocannon with an eye on the answers: how fast they came, and that every one of them was right.

import autocannon from 'autocannon';
import type { Client, Options } from 'autocannon';
import { CheckFailed, check } from './check.ts';

export interface Volley extends Omit<Options, 'duration' | 'amount'> {
  readonly connections: number;
  /** Requests in all, every one answered: for CPU per request. Or else `seconds`. */
  readonly amount?: number;
  /** What is in flight at the end is dropped. */
  readonly seconds?: number;
  readonly signal: AbortSignal;
  /** What every answer must have; by default anything from 200 to 299. */
  readonly status?: number;
  /** What is wrong with an answer, or undefined. Header names are in lower case. The body is of no use where it is binary. */
  readonly examine?: (answer: Answer) => string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Hits {
  readonly answers: number;
  /** While all connections had something to do. */
  readonly perSecond: number;
  /** Milliseconds from request to whole answer, in the order of the answers. */
  readonly latencies: readonly number[];
}

/** Rejects with CheckFailed for any answer that is not 2xx (or of `status`) or that `examine` finds wrong, and for any that never came. */
export async function fire({ signal, seconds, amount, examine, status, ...options }: Volley): Promise<Hits> {
  signal.throwIfAborted();
  const wrong: string[] = [];
  const errors: string[] = [];
  const latencies: number[] = [];
  const pace = new Pace(amount === undefined ? Infinity : Math.floor(amount / options.connections));

  const instance = autocannon({
    // Counts and percentiles are taken here, so its samples only decide how soon it sees that it is done.
    sampleInt: 50,
    timeout: 60,
    ...options,
    ...(amount === undefined ? { duration: seconds ?? 1 } : { amount }),
    ...(examine && {
      requests: (options.requests ?? [{}]).map((request) => ({
        ...request,
        onResponse(status: number, body: string, _context: object, headers: Record<string, unknown>) {
          const fault = examine({ status, body, headers: lowerCase(headers) });
          if (fault !== undefined) wrong.push(fault);
        },
      })),
    }),
  });
  instance.on('response', (client: Client, _status: number, _bytes: number, ms: number) => {
    latencies.push(ms);
    pace.answered(client);
  });
  instance.on('reqError', (error: Error) => errors.push(error.message));
  const stop = (): void => instance.stop();
  signal.addEventListener('abort', stop, { once: true });
  const result = await instance;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();

  if (wrong[0] !== undefined) throw new CheckFailed(`${wrong.length} wrong answers; the first: ${wrong[0]}`);
  const { statusCodeStats, non2xx, mismatches } = result;
  const others =
    status === undefined ? non2xx : latencies.length - (statusCodeStats[String(status)]?.count ?? 0);
  check(others === 0, `${others} answers were not ${status ?? '2xx'}: ${JSON.stringify(statusCodeStats)}`);
  check(errors.length + result.errors === 0, `${result.errors} requests failed; the first: ${errors[0]}`);
  check(mismatches === 0, `${mismatches} answers had a wrong body`);
  check(latencies.length > 0, 'there was no answer');
  // A connection that the server closes is opened again without a word: its requests would be missing, and the figure fine.
  const unanswered = result.requests.sent - latencies.length;
  check(
    amount === undefined ? unanswered <= options.connections : latencies.length === amount,
    `${unanswered} requests were never answered`,
  );
  return { answers: latencies.length, perSecond: pace.perSecond(), latencies };
}

/** Answers per second from the first to the last one before a connection has used up its share and idles. */
class Pace {
  readonly #share: number;
  readonly #answered = new Map<object, number>();
  #count = 0;
  #first = 0;
  #last = 0;
  #over = false;

  constructor(share: number) {
    this.#share = share;
  }

  answered(client: object): void {
    if (this.#over) return;
    const now = performance.now();
    const done = (this.#answered.get(client) ?? 0) + 1;
    this.#answered.set(client, done);
    this.#over = done >= this.#share;
    if (this.#count++ === 0) this.#first = now;
    this.#last = now;
  }

  perSecond(): number {
    return this.#count < 2 ? 0 : ((this.#count - 1) * 1000) / (this.#last - this.#first);
  }
}

/** The first value of a header that came more than once. */
function lowerCase(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String([value].flat(2)[0])]),
  );
}
