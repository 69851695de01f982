// An object made of parts: nothing of it is there until it is complete, and nothing is left if it is not.

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import type { ByteRange } from '../contracts.ts';
import { TRANSFER_MS } from './s3-client.ts';
import type { S3 } from './s3-client.ts';
import { s3Code } from './s3-failures.ts';

const MiB = 1024 * 1024;
/** S3 takes no smaller ones but for the last, and no more of them (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). */
export const LEAST_PART = 5 * MiB;
export const MOST_PARTS = 10_000;
export const PART_BYTES = 8 * MiB;
/** Milliseconds: whoever is to be told of a failure does not wait for long until it is cleared away. */
const ABORT_MS = 5000;
/** After so many parts those that follow are twice as large: room for 240 GiB of unknown length. */
const PARTS_OF_ONE_SIZE = 2000;

/** Bytes of part `number`, from 1, where nobody knows how many will come. */
export function partBytes(number: number): number {
  return PART_BYTES * 2 ** Math.floor((number - 1) / PARTS_OF_ONE_SIZE);
}

/** Bytes of each part of so many. */
export function evenPartBytes(total: number): number {
  return Math.max(PART_BYTES, Math.ceil(total / (MOST_PARTS - 1) / MiB) * MiB);
}

export interface Multipart {
  /** Numbers begin at 1; in any order, several at once. */
  part(number: number, bytes: Uint8Array): Promise<void>;
  copyPart(number: number, from: string, range: ByteRange): Promise<void>;
  /** Makes the object, of so many bytes. */
  complete(bytes: number): Promise<void>;
  /** When no part is under way any more. Never rejects: what is left is removed by `abortStale`. */
  abort(): Promise<void>;
}

export async function beginMultipart(s3: S3, key: string, signal?: AbortSignal): Promise<Multipart> {
  const { bucket: Bucket } = s3;
  const Key = s3.keyOf(key);
  const { UploadId } = await s3.send(
    (client, how) => client.send(new CreateMultipartUploadCommand({ Bucket, Key }), how),
    // Not by the signal: one that was made, and whose name nobody heard, could not be aborted.
  );
  const upload = { Bucket, Key, UploadId };
  const etags = new Map<number, string | undefined>();

  return {
    async part(PartNumber, bytes) {
      const command = new UploadPartCommand({
        ...upload,
        PartNumber,
        Body: bytes,
        ContentLength: bytes.length,
      });
      const { ETag } = await s3.send((client, how) => client.send(command, how), {
        signal,
        within: TRANSFER_MS,
      });
      etags.set(PartNumber, ETag);
    },

    async copyPart(PartNumber, from, { start, end }) {
      const command = new UploadPartCopyCommand({
        ...upload,
        PartNumber,
        CopySource: `${Bucket}/${s3.keyOf(from)}`,
        CopySourceRange: `bytes=${start}-${end}`,
      });
      const { CopyPartResult } = await s3.send((client, how) => client.send(command, how), {
        signal,
        within: TRANSFER_MS,
        moves: true,
      });
      etags.set(PartNumber, CopyPartResult?.ETag);
    },

    async complete(bytes) {
      const Parts = [...etags]
        .toSorted(([a], [b]) => a - b)
        .map(([PartNumber, ETag]) => ({ PartNumber, ETag }));
      const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
      try {
        await s3.send((client, how) => client.send(command, how), { within: TRANSFER_MS, moves: true });
      } catch (error) {
        // Tried again after an answer that was lost: then it is done already.
        if (s3Code(error) !== 'NoSuchUpload' || (await s3.head(key))?.bytes !== bytes) throw error;
      }
    },

    async abort() {
      const command = new AbortMultipartUploadCommand(upload);
      const done = s3.send((client, how) => client.send(command, how), { within: ABORT_MS });
      await done.catch(() => undefined);
    },
  };
}

/** All that the server keeps lies below these: without a prefix of its own, others may keep theirs beside it. */
const OWN_FOLDERS = ['sources/', 'results/', 'chunks/', 'uploads/', 'segments/'];

/** Aborts our uploads that were begun before that time (milliseconds since 1970) and that nobody has finished. */
export async function abortStale(s3: S3, before: number): Promise<number> {
  let aborted = 0;
  for (const folder of OWN_FOLDERS) aborted += await abortBelow(s3, folder, before);
  return aborted;
}

async function abortBelow(s3: S3, folder: string, before: number): Promise<number> {
  const { bucket: Bucket } = s3;
  let aborted = 0;
  let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
  while (from !== undefined) {
    const page: ListMultipartUploadsCommandOutput = await pageOf(s3, folder, from);
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      // Not every store takes the prefix at its word, and what is aborted is lost.
      const isOurs = Key?.startsWith(s3.keyOf(folder)) === true;
      if (!isOurs || Initiated === undefined || Initiated.getTime() >= before) continue;
      const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
      await s3.send((client, how) => client.send(abort, how)).catch(() => undefined); // finished meanwhile
      aborted++;
    }
    from =
      page.IsTruncated === true
        ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
        : undefined;
  }
  return aborted;
}

async function pageOf(
  s3: S3,
  folder: string,
  from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined },
): Promise<ListMultipartUploadsCommandOutput> {
  const command = new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: s3.keyOf(folder), ...from });
  return s3.send((client, how) => client.send(command, how));
}
