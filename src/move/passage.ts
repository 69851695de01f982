// When a move begins, ends, or is given up, as both its places say it: from its first copy to its end nobody works at either.

import { randomUUID } from 'node:crypto';
import { ConfigError } from '../config.ts';
import type { End, Marker } from './marker.ts';

export interface PassageOptions {
  readonly to: 'fleet' | 'embedded';
  readonly folder: End;
  /** Undefined where Redis has no part in it. */
  readonly fleet: End | undefined;
  /** Jobs and records move; else both places have them in common, and files alone move. */
  readonly documents: boolean;
}

export interface BeginOptions extends PassageOptions {
  /** Whether there is neither a job nor a record where they go. */
  readonly isEmpty: () => Promise<boolean>;
  /** Only looks whether it may begin. */
  readonly dryRun?: boolean;
}

/**
 * Says at both places that a move is under way: where it comes from first, whose word holds, so that wherever we are killed
 * the same move goes on with the next run. What is there of another move was copied from something that may have changed
 * since, and is never mixed with: throws ConfigError.
 */
export async function beginMove({ isEmpty, dryRun = false, ...options }: BeginOptions): Promise<void> {
  const { to, documents } = options;
  const { source, target } = endsOf(options);
  const here = await source.read();
  const there = await target?.read();
  const isSame = there?.moving === to && there.id !== undefined && there.id === here.id;
  if (here.moving !== undefined && here.moving !== to) {
    throw new ConfigError(
      `A move the other way has not ended: run \`npm run move -- --to ${here.moving}\` to its end, or give it up with --give-up. Nothing was moved.`,
    );
  }
  // What has left already is only looked through again where its new place was not opened yet.
  if (documents && here.queue !== undefined && !isSame) {
    throw new ConfigError(`The jobs were moved elsewhere on ${here.queue}. Nothing was moved.`);
  }
  if (there?.moving !== undefined && !isSame) {
    throw new ConfigError(`${remains(to)} has a part of another move. ${cure(to)} Nothing was moved.`);
  }
  if (documents && !isSame && !(await isEmpty())) {
    throw new ConfigError(`${remains(to)} has jobs or records of its own. ${cure(to)} Nothing was moved.`);
  }
  if (dryRun || (documents && here.queue !== undefined)) return;
  const id = here.moving === to ? here.id : randomUUID();
  await source.write({ ...here, id, moving: to });
  // What moved away from there at some time is coming back, or something else is.
  if (!isSame) await target?.write({ ...there, queue: undefined, id, moving: to });
}

/** `left` is what the folder is to say from now on. The old place is closed for good before the new one is opened. */
export async function endMove(
  options: PassageOptions,
  left: Pick<Marker, 'queue' | 'store'>,
  now: Date,
): Promise<void> {
  const { to, folder, fleet, documents } = options;
  const { id } = await folder.read();
  const closed = documents && to === 'embedded' ? { id, queue: now.toISOString() } : {};
  const steps = [() => folder.write({ id, ...left }), () => fleet?.write(closed)];
  for (const step of to === 'fleet' ? steps : steps.toReversed()) await step();
}

/**
 * Lets the old place go on as if it had not been moved. The new one stays closed: it has a part of what the old one was.
 * False: no such move was under way.
 */
export async function giveUpMove(options: PassageOptions): Promise<boolean> {
  const { source, target } = endsOf(options);
  const here = await source.read();
  if (here.moving !== options.to) return false;
  const there = await target?.read();
  // What both have in common is no part of anything.
  if (!options.documents && there?.id === here.id) await target?.write({ ...there, moving: undefined });
  // Without its id nothing takes it up again.
  await source.write({ ...here, id: undefined, moving: undefined });
  return true;
}

/** A move that has ended at the place where it came from, and was killed before it opened the other: opens that. */
export async function openTarget(options: PassageOptions): Promise<void> {
  const { source, target } = endsOf(options);
  const [here, there] = [await source.read(), await target?.read()];
  if (here.moving !== undefined || there?.moving !== options.to || there.id !== here.id) return;
  await target?.write({ ...there, moving: undefined });
}

function endsOf({ to, folder, fleet }: PassageOptions): { readonly source: End; readonly target?: End } {
  if (fleet === undefined) return { source: folder };
  return to === 'fleet' ? { source: folder, target: fleet } : { source: fleet, target: folder };
}

const remains = (to: PassageOptions['to']): string => (to === 'fleet' ? 'REDIS_PREFIX' : 'DATA_DIR');
const cure = (to: PassageOptions['to']): string =>
  to === 'fleet' ? 'Set another REDIS_PREFIX, or remove its names in Redis.' : 'Set it to an empty folder.';
