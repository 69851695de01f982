// Before the tests of the fleet mode: one Redis and one S3 emulator for all of them, gone afterwards.

import { tellBackends } from './mode.ts';
import { startRedis } from './redis.ts';
import { startS3Process } from './s3-process.ts';

export async function setup(): Promise<() => Promise<void>> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis(['--appendfsync', 'no']));
  const s3 = stack.use(await startS3Process());
  // The workers are started after this, and inherit it.
  tellBackends({ redisUrl: redis.url, s3: s3.settings('') });
  const open = stack.move();
  return () => open.disposeAsync();
}
