// What `npm run move` is asked for.

import { parseArgs } from 'node:util';

export const USAGE = `npm run move -- --to fleet | embedded [--dry-run] [--files N] [--stopped] [--give-up]

  --to fleet     from DATA_DIR to what the settings name: QUEUE=bullmq with REDIS_URL, STORE=s3 with S3_BUCKET, or both
  --to embedded  from what the settings name back to DATA_DIR, which must be empty
  --dry-run      says how much is to be moved, and moves nothing
  --files N      so many files at once, 1 to 64 (8)
  --stopped      although Redis still sees processes of the fleet: you say that their machines are gone
  --give-up      ends a move that was broken off: it may be worked on again where it came from

The server and the fleet must be stopped. Nothing is deleted where it comes from. If it is broken off, run it again: it goes on.
Until it has come to its end, or is given up, no server starts at either place.
`;

/** What a person has to change. */
export class Refusal extends Error {}

export interface Given {
  readonly to: 'fleet' | 'embedded';
  readonly dryRun: boolean;
  readonly files: number;
  readonly stopped: boolean;
  readonly giveUp: boolean;
}

/** Undefined where only the usage is asked for. Throws Refusal. */
export function readOptions(args: readonly string[]): Given | undefined {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        to: { type: 'string' },
        files: { type: 'string', default: '8' },
        'dry-run': flag,
        'give-up': flag,
        stopped: flag,
        help: { ...flag, short: 'h' },
      },
    });
    if (values.help) return undefined;
    const { to, stopped } = values;
    const files = Number(values.files);
    if (to !== 'fleet' && to !== 'embedded') throw new Error('--to must be fleet or embedded');
    if (!Number.isInteger(files) || files < 1 || files > 64) throw new Error('--files must be 1 to 64');
    return { to, dryRun: values['dry-run'], giveUp: values['give-up'], files, stopped };
  } catch (error) {
    throw new Refusal(`${(error as Error).message}\n\n${USAGE}`);
  }
}
