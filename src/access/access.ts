// Everything that decides who may come in, put together.

import type { Config } from '../config.ts';
import type { Records } from '../contracts.ts';
import { createIdentify } from './identify.ts';
import type { Identify } from './identify.ts';
import { createKeys } from './keys.ts';
import type { Keys } from './keys.ts';
import { createPages } from './pages.ts';
import type { Pages } from './pages.ts';
import { createSessions } from './sessions.ts';
import type { Sessions } from './sessions.ts';
import { createTenants, usualLimits } from './tenants.ts';

export interface Access {
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly identify: Identify;
  readonly pages: Pages;
}

export function createAccess({
  records,
  config,
  onError,
}: {
  readonly records: Records;
  readonly config: Config;
  /** Something that nobody waits for could not be written. */
  readonly onError: (error: unknown) => void;
}): Access {
  const keys = createKeys({ records, onError });
  const sessions = createSessions({ records, keys });
  const tenants = createTenants({ records, defaults: usualLimits(config) });
  return {
    keys,
    sessions,
    identify: createIdentify({ keys, sessions, tenants }),
    pages: createPages(config),
  };
}
