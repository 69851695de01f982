// Refuses to serve other machines while nobody is asked for a key.

import { ConfigError, isLoopback } from '../config.ts';
import type { Config } from '../config.ts';
import type { Keys } from './keys.ts';

/** Whether the settings alone allow the address. Else it takes a key. */
export function needsKeys({ HOST, ALLOW_UNAUTHENTICATED }: ReachSettings): boolean {
  return !isLoopback(HOST) && !ALLOW_UNAUTHENTICATED;
}

/** Rejects with ConfigError where others could reach a server that has no keys. */
export async function assertReach(config: ReachSettings, keys: Pick<Keys, 'exist'>): Promise<void> {
  if (!needsKeys(config) || (await keys.exist())) return;
  throw new ConfigError(
    `HOST=${config.HOST} is reachable from other machines, and nothing asks callers who they are.\n` +
      '  Make a key, after which everyone needs one:  npm run keys -- create --name me\n' +
      '  Or keep HOST=127.0.0.1 behind a proxy that asks, or set ALLOW_UNAUTHENTICATED=true if that is what you want.',
  );
}

type ReachSettings = Pick<Config, 'HOST' | 'ALLOW_UNAUTHENTICATED'>;
