// Working beside a server, as the commands of an operator do: where the settings lead, unless that was moved elsewhere.

import { mkdir } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { useFolder } from '../sqlite/folder-use.ts';
import { assertNotMoved } from './marker.ts';

type Settings = Pick<Config, 'DATA_DIR' | 'QUEUE' | 'STORE' | 'REDIS_URL' | 'REDIS_PREFIX'>;

/**
 * To be disposed of when the work with jobs or records is done: until then they are not moved from a folder. Rejects with
 * ConfigError where they were moved, or are being moved: what is changed there nobody would ever see.
 */
export async function enterPlace(settings: Settings): Promise<Disposable> {
  if (settings.QUEUE === 'bullmq') {
    // Loaded only where it is used.
    const { assertFleetNotMoved } = await import('./fleet-marker.ts');
    await assertFleetNotMoved(settings, { warn: () => undefined });
    return { [Symbol.dispose]: () => undefined };
  }
  await mkdir(settings.DATA_DIR, { recursive: true, mode: 0o700 });
  const folder = useFolder(settings.DATA_DIR);
  try {
    assertNotMoved(settings);
    return folder;
  } catch (error) {
    folder[Symbol.dispose]();
    throw error;
  }
}
