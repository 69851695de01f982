// An upload as clients see it.

import { z } from 'zod';
import type { Stored } from '../contracts.ts';
import { UPLOAD_PREFIX, uploadPath } from '../uploads/upload-names.ts';
import { statusOf, UPLOAD_STATUSES } from '../uploads/upload-record.ts';
import type { UploadRecord } from '../uploads/upload-record.ts';

export const uploadSchema = z
  .object({
    id: z.string(),
    status: z
      .enum(UPLOAD_STATUSES)
      .describe('A source must be `complete`. `part`: finished, and to be put together with others'),
    source: z
      .string()
      .nullable()
      .describe('How it is named as a source: `upload:{id}`; null of a part, which is none'),
    name: z.string().nullable(),
    mediaType: z.string().nullable().describe('By its bytes'),
    bytes: z.number().nullable().describe('All of them; null until their number is told'),
    offset: z.number().describe('Bytes that are here'),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    links: z.object({ self: z.string() }),
  })
  .meta({ id: 'Upload' });

const isoTime = (ms: number): string => new Date(ms).toISOString();

export function viewUpload({
  id,
  value,
}: Pick<Stored<UploadRecord>, 'id' | 'value'>): z.input<typeof uploadSchema> {
  return {
    id,
    status: statusOf(value),
    source: value.concat === 'partial' ? null : `${UPLOAD_PREFIX}${id}`,
    name: value.name,
    mediaType: value.mediaType,
    bytes: value.length,
    offset: value.offset,
    createdAt: isoTime(value.createdAt),
    expiresAt: isoTime(value.expiresAt),
    links: { self: uploadPath(id) },
  };
}
