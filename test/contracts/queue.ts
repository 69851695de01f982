// What every JobQueue promises, as tests that each adapter runs.

import { afterEach, beforeEach, describe } from 'vitest';
import { dying } from './queue-dying.ts';
import { ending } from './queue-ending.ts';
import { keeping } from './queue-keeping.ts';
import { moving } from './queue-moving.ts';
import { owing } from './queue-owing.ts';
import { Sides } from './queue-sides.ts';
import type { QueueBackend } from './queue-sides.ts';
import { storing } from './queue-storing.ts';
import { telling } from './queue-telling.ts';
import { waiting } from './queue-waiting.ts';
import { working } from './queue-working.ts';

/** `open` makes an empty backend; each test gets its own. */
export function queueContract(name: string, open: () => Promise<QueueBackend>): void {
  describe(`${name} keeps the contract of JobQueue`, () => {
    const here = new Sides();
    beforeEach(async () => here.open(await open()));
    afterEach(() => here.backend.close());

    storing(here);
    working(here);
    moving(here);
    waiting(here);
    ending(here);
    dying(here);
    telling(here);
    owing(here);
    keeping(here, open);
  });
}
