// What a machine does: its roles, and the lanes that it works on.

import type { Config } from '../config.ts';
import { LANES } from './job.ts';

export interface Duties {
  readonly roles: readonly ('web' | 'work')[];
  /** None where it does not work; `chunk` stands for parts of other machines' films. */
  readonly lanes: readonly Config['LANES'][number][];
}

export function dutiesOf({ QUEUE, ROLES, LANES: lanes }: Pick<Config, 'QUEUE' | 'ROLES' | 'LANES'>): Duties {
  if (!ROLES.includes('work')) return { roles: ROLES, lanes: [] };
  // On a machine of its own there are no parts of others.
  return { roles: ROLES, lanes: QUEUE === 'sqlite' ? LANES : lanes };
}
