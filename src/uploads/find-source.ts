// The upload that a reference names as a source, or why there is none.

import type { Stored } from '../contracts.ts';
import { Problem } from '../problems.ts';
import { uploadId } from './upload-names.ts';
import type { UploadRecord } from './upload-record.ts';
import { usable } from './uploads.ts';
import type { Upload, Uploads } from './uploads.ts';

/**
 * What a reference of a tenant (`upload:{id}`) names. Rejects `source_not_found`, and `upload_unfinished` for what is
 * still being received.
 */
export async function findUpload(
  reference: string,
  tenant: string,
  uploads: Pick<Uploads, 'look'>,
): Promise<Upload> {
  const id = uploadId(reference);
  const stored = id === undefined ? undefined : await uploads.look(id, tenant);
  const upload = stored && usable(stored);
  if (upload !== undefined) return upload;
  if (stored !== undefined) throw unfinished(stored);
  throw new Problem(
    'source_not_found',
    `There is no upload ${JSON.stringify(reference.slice(0, 60))}: it was removed, has expired, or never was.`,
  );
}

function unfinished({ id, value: { offset, length, concat } }: Stored<UploadRecord>): Problem {
  if (concat === 'partial')
    return new Problem(
      'upload_unfinished',
      `The upload ${id} is a part of another one: use that one as the source, when its parts are joined.`,
    );
  const whole = length === null ? 'a number that is not told yet' : length;
  return new Problem(
    'upload_unfinished',
    length === offset
      ? `All ${length} bytes of the upload ${id} are here, and are still being joined: ask again in a moment.`
      : `Of the upload ${id}, ${offset} bytes of ${whole} are here: send the rest first, from Upload-Offset ${offset} on.`,
  );
}
