// Two connections to one backend: two processes, as far as a queue can tell.

import type { JobQueue } from '../../src/contracts.ts';
import type { JobPolicy } from '../../src/jobs/job.ts';

export interface ConnectOptions {
  readonly owner: string;
  readonly policy: JobPolicy;
  readonly leaseSeconds: number;
  readonly maxWaiting: number;
}

export interface QueueBackend {
  /** A further connection, as another process would have it. */
  connect(options: ConnectOptions): Promise<JobQueue>;
  /** Lets time pass for everyone at once: leases run out before their owners can renew them, pauses end. */
  pass(milliseconds: number): Promise<void>;
  /** Milliseconds since 1970, as the queues count. */
  now(): number;
  /** Closes all connections and removes what is stored. */
  close(): Promise<void>;
}

const LEASE_SECONDS = 30;
export const TTL_SECONDS = 1000;
const OPTIONS = {
  policy: { maxAttempts: 3, ttlSeconds: TTL_SECONDS },
  leaseSeconds: LEASE_SECONDS,
  maxWaiting: 1000,
};

/** New before each test. */
export class Sides {
  #backend: QueueBackend | undefined;
  #queues: readonly JobQueue[] = [];

  async open(backend: QueueBackend): Promise<void> {
    this.#backend = backend;
    this.#queues = [await this.connect('left'), await this.connect('right')];
  }

  get backend(): QueueBackend {
    return defined(this.#backend);
  }
  get left(): JobQueue {
    return defined(this.#queues[0]);
  }
  get right(): JobQueue {
    return defined(this.#queues[1]);
  }

  connect(owner: string, options: Partial<ConnectOptions> = {}): Promise<JobQueue> {
    return this.backend.connect({ ...OPTIONS, ...options, owner });
  }

  /** As if every process had hung for longer than a lease. */
  expireLeases(): Promise<void> {
    return this.backend.pass((LEASE_SECONDS + 1) * 1000);
  }
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('nothing is open: this belongs into a test');
  return value;
}
