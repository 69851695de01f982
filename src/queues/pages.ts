// The pages of a listing: how many jobs one has, and the cursors between them. The same for every queue.

import type { JobFilter, Page } from '../contracts.ts';
import type { Job } from '../jobs/job.ts';
import { isId } from '../lib/id.ts';
import { Problem } from '../problems.ts';

/** `find` answers the newest jobs before an id (all of them if it is undefined). Rejects `invalid_request`. */
export async function pageOf(
  filter: JobFilter,
  find: (before: string | undefined, limit: number) => Promise<readonly Job[]>,
): Promise<Page<Job>> {
  const limit = Math.min(Math.max(Math.trunc(filter.limit), 1), 100);
  const before = filter.after === undefined ? undefined : idOfCursor(filter.after);
  // One more says whether there is a further page.
  const found = await find(before, limit + 1);
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  return { items, next: last === undefined ? null : cursorOf(last.id) };
}

function cursorOf(id: string): string {
  return Buffer.from(id).toString('base64url');
}

function idOfCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (isId(id) && cursorOf(id) === cursor) return id;
  throw new Problem(
    'invalid_request',
    'after: this is not a cursor of ours. Take it from `next` of the page before, as it is.',
    {
      errors: [{ field: 'after', message: 'must be the `next` of an earlier page' }],
    },
  );
}
