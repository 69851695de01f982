// One life of a server: which parts the settings give it, and how it leaves.

import type { Config } from '../config.ts';
import type { HintBus } from '../contracts.ts';
import { dutiesOf } from '../jobs/duties.ts';
import type { Duties } from '../jobs/duties.ts';
import { LANES } from '../jobs/job.ts';
import type { Lane } from '../jobs/job.ts';
import type { RemoteRules } from '../lib/safe-fetch.ts';
import type { Logger } from '../logger.ts';
import { createMeter } from '../metrics/meter.ts';
import type { Meter } from '../metrics/meter.ts';

export interface LifeOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly hints: HintBus;
  /** Unique per process life: marks leases and unfinished files as this process's. */
  readonly owner: string;
  /** The same for all processes of a primary: the bounds of a machine are theirs together. */
  readonly machine: string;
  /** An image overran its deadline and cannot be stopped: this process must be replaced. */
  readonly onOverrun: () => void;
  /** For tests, which can fetch from this machine only. */
  readonly remote?: Pick<RemoteRules, 'isAddressAllowed' | 'ca'>;
}

/** What every part of a server is given when it is opened. */
export interface Life extends LifeOptions {
  readonly meter: Meter;
  /** Everything that was opened, closed in reverse. */
  readonly stack: AsyncDisposableStack;
  /** Aborted when the server begins to leave. */
  readonly leaving: AbortSignal;
  /** Milliseconds since 1970 by which everything is to be closed; asked for when it is. */
  readonly deadline: () => number;
  readonly duties: Duties;
  readonly isWeb: boolean;
  /** Of whole jobs that this process works on; none where it does not work. */
  readonly lanes: readonly Lane[];
  /** Whether it works on parts of other machines' films. */
  readonly doesParts: boolean;
}

/** How a life is ended: `end` says by when. */
export interface Leaving {
  readonly life: Life;
  readonly end: (deadline: number) => void;
}

export function beginLife(options: LifeOptions, stack: AsyncDisposableStack): Leaving {
  const { config } = options;
  const leaving = new AbortController();
  let deadline = Date.now() + config.SHUTDOWN_SECONDS * 1000;
  const duties = dutiesOf(config);
  return {
    life: {
      ...options,
      meter: createMeter(),
      stack,
      leaving: leaving.signal,
      deadline: () => deadline,
      duties,
      isWeb: duties.roles.includes('web'),
      lanes: LANES.filter((lane) => duties.lanes.includes(lane)),
      doesParts: duties.lanes.includes('chunk'),
    },
    end(until) {
      deadline = until;
      leaving.abort();
    },
  };
}
