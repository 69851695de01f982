// What a data folder says of a move from it or to it: that the truth is elsewhere now, or that a move has not ended.

import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../config.ts';
import type { Config } from '../config.ts';

const FILE = 'moved.json';
const schema = z.object({
  /** Of the newest move. */
  id: z.string().optional(),
  /** It has not ended: nobody may work here. */
  moving: z.enum(['fleet', 'embedded']).optional(),
  /** When all jobs and records had arrived elsewhere, by ISO 8601; */
  queue: z.iso.datetime().optional(),
  /** and all files. */
  store: z.iso.datetime().optional(),
});

export type Marker = Readonly<z.output<typeof schema>>;

/** One of the two places of a move, as far as it says something of that. */
export interface End {
  /** Empty for one that was never moved. */
  read(): Promise<Marker>;
  /** All or nothing. */
  write(marker: Marker): Promise<void>;
}

export function folderEnd(folder: string): End {
  return { read: async () => readMarker(folder), write: (marker) => writeMarker(folder, marker) };
}

/** Empty for a folder that was never moved. Throws ConfigError for a file that is not ours. */
export function readMarker(folder: string): Marker {
  const path = join(folder, FILE);
  try {
    return parseMarker(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** Throws ConfigError for what is not ours. `where` names it. */
export function parseMarker(text: string, where: string): Marker {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new ConfigError(`${where} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** All or nothing, durable. An empty one is taken away. */
export async function writeMarker(folder: string, marker: Marker): Promise<void> {
  const path = join(folder, FILE);
  if (isEmpty(marker)) {
    await rm(path, { force: true });
  } else {
    await using file = await open(`${path}.new`, 'w', 0o600);
    await file.writeFile(`${JSON.stringify(marker, null, 2)}\n`);
    await file.sync();
    await rename(`${path}.new`, path);
  }
  // A name is durable with the folder it stands in.
  await using names = await open(folder, 'r');
  await names.sync();
}

/** Whether it says nothing that anybody has to know. */
export function isEmpty({ moving, queue, store }: Marker): boolean {
  return moving === undefined && queue === undefined && store === undefined;
}

/** Throws ConfigError where a server would go on with what was moved elsewhere: its jobs would run in both places. */
export function assertNotMoved({
  DATA_DIR,
  QUEUE,
  STORE,
}: Pick<Config, 'DATA_DIR' | 'QUEUE' | 'STORE'>): void {
  // It keeps nothing here.
  if (QUEUE === 'bullmq' && STORE === 's3') return;
  const { queue, store, moving } = readMarker(DATA_DIR);
  const path = join(DATA_DIR, FILE);
  if (moving !== undefined) {
    throw new ConfigError(
      `A move ${moving === 'fleet' ? 'of' : 'to'} DATA_DIR ${DATA_DIR} has not ended: run \`npm run move -- --to ${moving}\` once more, with the settings as they were. It goes on to its end, or is given up with --give-up.${moving === 'embedded' ? ' After that this folder is of no use: it has not got everything.' : ''}`,
    );
  }
  if (queue !== undefined && QUEUE === 'sqlite') {
    throw new ConfigError(
      `The jobs of DATA_DIR ${DATA_DIR} were moved to Redis on ${queue}: set QUEUE=bullmq and REDIS_URL as for that move. To go on with what they were then, remove ${path}.`,
    );
  }
  if (store !== undefined && STORE === 'disk') {
    throw new ConfigError(
      `The files of DATA_DIR ${DATA_DIR} were moved to S3 on ${store}: set STORE=s3 and S3_BUCKET as for that move. To go on with what they were then, remove ${path}.`,
    );
  }
}
