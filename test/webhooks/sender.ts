// A process of its own that sends webhooks, for tests that kill it.

import { localHints } from '../../src/lib/local-hints.ts';
import { createSafePost } from '../../src/lib/safe-post.ts';
import { openSqliteRecords } from '../../src/registers/sqlite-records.ts';
import { startWebhooks } from '../../src/webhooks/webhooks.ts';

const [path, owner, ca] = process.argv.slice(2);
if (path === undefined || owner === undefined || ca === undefined)
  throw new Error('usage: sender.ts path owner certificate');

startWebhooks({
  records: await openSqliteRecords({ path }),
  hints: localHints(),
  post: createSafePost({ ca, isAddressAllowed: () => true }),
  owner,
  secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`],
  version: '1.2.3',
  log: console,
});
