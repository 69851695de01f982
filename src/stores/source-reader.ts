// SourceReader over the store's uploads and, where they are allowed, remote files.

import { hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { BlobStore } from '../contracts.ts';
import type { SourceReader } from '../engine-contracts.ts';
import { UPLOAD_PREFIX, uploadKey, UPLOAD_VERSION } from '../uploads/uploads.ts';
import type { Uploads } from '../uploads/uploads.ts';
import { findUpload } from '../uploads/find-source.ts';
import type { SafeFetch } from '../lib/safe-fetch.ts';
import { readOwn } from '../lib/own-bytes.ts';
import { unknownUpload } from '../uploads/upload-record.ts';
import { Problem } from '../problems.ts';

export interface SourceReaderOptions {
  readonly store: BlobStore;
  readonly uploads: Pick<Uploads, 'look'>;
  readonly fetch: SafeFetch;
}

export function createSourceReader({ store, uploads, fetch }: SourceReaderOptions): SourceReader {
  return {
    async read(reference, { tenant, maxBytes, signal }) {
      if (reference.startsWith(UPLOAD_PREFIX)) {
        const { id } = await findUpload(reference, tenant, uploads);
        await using file = await store.local(uploadKey(id), { signal, patient: false });
        return { bytes: await readWhole(file.path, maxBytes), version: UPLOAD_VERSION };
      }
      if (!URL.canParse(reference)) {
        throw new Problem(
          'source_not_found',
          'A source is upload:{id}, as POST /v1/uploads gives it, or an https URL.',
        );
      }
      const bytes = await fetch(reference, { maxBytes, signal });
      return { bytes, version: hash('sha256', bytes) };
    },
  };
}

/** In an ArrayBuffer of its own, so that it can be moved to a thread. */
async function readWhole(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > maxBytes) {
      throw new Problem(
        'payload_too_large',
        `The source has ${size} bytes; images may have at most ${maxBytes}.`,
      );
    }
    return await readOwn(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw unknownUpload(error);
    throw error;
  }
}
