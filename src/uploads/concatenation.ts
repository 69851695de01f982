// An upload made of others: of finished parts, in the order in which they are named.

import { hash } from 'node:crypto';
import type { BlobStore, RecordKind, Records, Stored } from '../contracts.ts';
import { newId } from '../lib/id.ts';
import { Problem } from '../problems.ts';
import { partsGone } from './completion.ts';
import type { Completion } from './completion.ts';
import { headOf, judge, mostOf, tooLong } from './judge.ts';
import type { UploadLimits } from './judge.ts';
import type { OpenPlaces } from './open-places.ts';
import { newUpload, placeOf, UPLOADS } from './upload-record.ts';
import type { UploadRecord } from './upload-record.ts';

export interface NewFinal extends Pick<UploadRecord, 'tenant' | 'name' | 'metadata'> {
  readonly parts: readonly string[];
  /** Asked before anything is made, with the bytes that will be written; what it rejects with ends it. */
  readonly admit?: ((bytes: number) => Promise<void>) | undefined;
}

/** The final that certain parts were made into: a client that missed the answer asks again. */
const FINALS: RecordKind<{ readonly id: string }> = { name: 'upload-final' };

export interface ConcatenationOptions {
  readonly store: BlobStore;
  readonly records: Records;
  readonly completion: Completion;
  readonly places: OpenPlaces;
  readonly limits: UploadLimits;
  readonly ttlSeconds: number;
  readonly partTtlSeconds: number;
  readonly look: (id: string, tenant: string) => Promise<Stored<UploadRecord> | undefined>;
  readonly remove: (id: string, tenant: string) => Promise<boolean>;
  readonly now?: () => number;
}

/**
 * Resolves with the final as it stands: complete, or, where that takes longer than a request may, still being put
 * together. The same parts give the same final while it lives. Rejects `upload_unfinished`, `invalid_request`,
 * `source_not_found`, `media_type_unsupported`, `payload_too_large`, `storage_full`, and what `admit` does: then nothing
 * was made.
 */
export type Concatenate = (final: NewFinal) => Promise<Pick<Stored<UploadRecord>, 'id' | 'value'>>;

export function createConcatenation(options: ConcatenationOptions): Concatenate {
  const { store, records, completion, places, limits, ttlSeconds, partTtlSeconds, look, remove } = options;
  const { now = records.now } = options;

  return async ({ tenant, name, metadata, parts, admit }) => {
    const concat = { final: parts };
    const key = hash('sha256', `${tenant} ${parts.join(' ')}`);
    let admitted = false;
    for (;;) {
      const known = await records.get(FINALS, key);
      if (known !== undefined && (await look(known.value.id, tenant)) !== undefined)
        return completion.settle(known.value.id, tenant);
      const length = await lengthOf(parts, tenant);
      await assertMedia({ tenant, concat, segments: [] }, length);
      const free = await store.free();
      if (free !== undefined && free <= length)
        throw new Problem(
          'storage_full',
          'The server has no room to put these parts together. They are kept.',
        );
      if (!admitted) await admit?.(length);
      admitted = true;
      const at = now();
      const id = newId();
      // Whole from the beginning: if this process dies now, another one puts it together.
      const asked = { tenant, name, length, metadata, concat, expiresAt: at + partTtlSeconds * 1000 };
      const value = { ...newUpload(asked, at), offset: length };
      await places.enter(id, tenant, () => records.put(UPLOADS, id, value, placeOf(value, at), 0));
      const place = { group: tenant, expiresAt: at + (ttlSeconds + partTtlSeconds) * 1000 };
      if (await records.put(FINALS, key, { id }, place, known?.version ?? 0))
        return completion.settle(id, tenant);
      // The same was asked for at the same time.
      await remove(id, tenant);
    }
  };

  async function lengthOf(parts: readonly string[], tenant: string): Promise<number> {
    let length = 0;
    for (const part of parts) {
      const found = (await completion.settle(part, tenant)).value;
      if (found.concat !== 'partial')
        throw new Problem(
          'invalid_request',
          `The upload ${part} was not made as a part (Upload-Concat: partial).`,
        );
      if (found.completedAt === null) {
        throw new Problem(
          'upload_unfinished',
          `The part ${part} has ${found.offset} of ${found.length ?? 'an unknown number of'} bytes. Finish all parts first.`,
        );
      }
      length += found.offset;
    }
    if (length > mostOf(limits)) throw tooLong(length, mostOf(limits));
    return length;
  }

  async function assertMedia(
    final: Pick<UploadRecord, 'tenant' | 'concat' | 'segments'>,
    length: number,
  ): Promise<void> {
    const pieces = await completion.piecesOf(final);
    if (!(await completion.areThere(pieces))) throw partsGone();
    judge(await headOf(store, pieces), length, limits);
  }
}
