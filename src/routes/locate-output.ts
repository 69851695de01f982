// Where the bytes of a job's output are: of a finished one, and of a stream that is still being made.

import { extname } from 'node:path';
import type { BlobStore } from '../contracts.ts';
import { isFinished } from '../jobs/job.ts';
import type { Job } from '../jobs/job.ts';
import { outputPath } from '../jobs/job-view.ts';
import { PLAYLIST_TYPE } from '../operations/video/hls/playlists.ts';
import { Problem } from '../problems.ts';

export interface Located {
  readonly key: string;
  readonly bytes: number;
  readonly mediaType: string;
  /** It stays as it is. While the job runs, another attempt may make it anew under the same name. */
  readonly isFinal: boolean;
  /** A playlist that is replaced whenever there is more to play: its bytes are known only once they are read. */
  readonly grows: boolean;
}

/** Files that clients are not told of one by one: segments and what belongs to them. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.m3u8': PLAYLIST_TYPE,
  '.mpd': 'application/dash+xml',
  '.m4s': 'video/iso.segment',
  '.mp4': 'video/mp4',
  '.vtt': 'text/vtt; charset=utf-8',
  '.jpg': 'image/jpeg',
};
const PLAYLIST = '.m3u8';
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,100}$/;

/**
 * The file `file` of an output, or the output itself; where to go instead if it is several files with one to begin with.
 * Throws `output_not_found`, `output_not_ready`.
 */
export async function locate(
  store: BlobStore,
  job: Job,
  name: string,
  file: string | undefined,
): Promise<Located | { readonly redirect: string }> {
  const published = own(job.results, name);
  const result = published ?? own(job.ready ?? {}, name);
  const { folder, main } = result ?? own(job.live ?? {}, name) ?? {};
  if (file === undefined && main !== undefined) return { redirect: outputPath(job.id, name, main) };
  if (result === undefined && folder === undefined) throw notThere(job, name);
  const standing = { isFinal: published !== undefined, grows: false };
  if (file === undefined) return { ...(result as NonNullable<typeof result>), ...standing };
  const listed = result?.files?.find((each) => each.file === file);
  if (listed !== undefined) return { ...listed, ...standing };
  const found = folder === undefined ? undefined : await unlisted(store, folder, file);
  if (found !== undefined) {
    return { ...found, ...standing, grows: result === undefined && extname(file) === PLAYLIST };
  }
  const files = result?.files ?? [];
  const there =
    files.length === 0 ? 'It is a single file' : `It has: ${files.map((each) => each.file).join(', ')}`;
  throw new Problem(
    'output_not_found',
    `The output has no file ${JSON.stringify(file.slice(0, 64))}. ${result === undefined ? 'It is still being made' : there}.`,
  );
}

async function unlisted(
  store: BlobStore,
  folder: string,
  file: string,
): Promise<Omit<Located, 'isFinal' | 'grows'> | undefined> {
  const extension = extname(file);
  const mediaType = Object.hasOwn(MEDIA_TYPES, extension) ? MEDIA_TYPES[extension] : undefined;
  if (mediaType === undefined || !FILE_NAME.test(file)) return undefined;
  const blob = await store.stat(`${folder}${file}`);
  return blob && { key: blob.key, bytes: blob.bytes, mediaType };
}

function notThere(job: Job, name: string): Problem {
  const names = Object.keys(job.recipe.outputs);
  if (!names.includes(name)) {
    return new Problem(
      'output_not_found',
      `The job has no output ${JSON.stringify(name.slice(0, 64))}. It has: ${names.join(', ')}.`,
    );
  }
  if (isFinished(job)) {
    return new Problem(
      'output_not_found',
      `The job was ${job.status === 'failed' ? 'not successful' : job.status}; it has no results.`,
    );
  }
  return new Problem(
    'output_not_ready',
    `The job is ${job.status}. An output can be fetched once it is finished; follow the job at /v1/jobs/${job.id}.`,
  );
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
