// What uploads are called: as sources, in the store, in an address.

import { isId } from '../lib/id.ts';

/** How an upload is named as a source: `upload:{id}`. */
export const UPLOAD_PREFIX = 'upload:';
/** An upload never changes: all its bytes are of one version. */
export const UPLOAD_VERSION = 'upload';

export const UPLOADS_FOLDER = 'uploads/';
export const SEGMENTS_FOLDER = 'segments/';

/** Of the finished upload in the store. */
export function uploadKey(id: string): string {
  return `${UPLOADS_FOLDER}${id}`;
}

/** Below it lie the segments of an upload that is not finished. */
export function segmentsOf(id: string): string {
  return `${SEGMENTS_FOLDER}${id}/`;
}

/** The id in `upload:{id}`. */
export function uploadId(reference: string): string | undefined {
  const id = reference.slice(UPLOAD_PREFIX.length);
  return reference.startsWith(UPLOAD_PREFIX) && isId(id) ? id : undefined;
}

export const uploadPath = (id: string): string => `/v1/uploads/${id}`;
