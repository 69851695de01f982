// Takes the bytes of uploads that come in pieces: behind those that are there, from one writer at a time.

import { createHash, randomUUID } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { BlobStore, Records, Stored, StoredPiece } from '../contracts.ts';
import { newId } from '../lib/id.ts';
import { SNIFF_BYTES } from '../lib/media-type.ts';
import { Problem } from '../problems.ts';
import type { Claim, Claims } from './claims.ts';
import type { Completion } from './completion.ts';
import { incoming } from './incoming.ts';
import { headOf, judge, mostOf, tooLong } from './judge.ts';
import type { UploadLimits } from './judge.ts';
import type { OpenPlaces } from './open-places.ts';
import { segmentsOf } from './upload-names.ts';
import { isFinal, isWhole, newUpload, placeOf, UPLOADS } from './upload-record.ts';
import type { UploadRecord } from './upload-record.ts';

export interface Checksum {
  readonly algorithm: 'sha1' | 'sha256' | 'md5';
  readonly digest: Buffer;
}

export interface NewUpload extends Pick<UploadRecord, 'tenant' | 'name' | 'length' | 'metadata'> {
  readonly concat: 'partial' | null;
}

export interface Delivery {
  /** Where the client believes the upload to stand. */
  readonly offset: number;
  /** Told now, of an upload whose length was left open. */
  readonly length?: number | undefined;
  /** Content-Length of this delivery, where it is told. */
  readonly announced?: number | undefined;
  /** All bytes of this delivery count, or none. */
  readonly checksum?: Checksum | undefined;
  readonly body: Readable;
}

export interface Receiver {
  /** Notes a new upload. Rejects `quota_exceeded`, `payload_too_large`. */
  create(upload: NewUpload): Promise<Pick<Stored<UploadRecord>, 'id' | 'value'>>;
  /**
   * Takes what comes, and resolves with the upload as it then stands, durable; completed by its last byte, or about to be,
   * where that takes longer than a request may. Rejects `source_not_found`, `upload_offset`, `upload_locked`, `upload_final`, `checksum_mismatch`, `payload_too_large`, `media_type_unsupported`
   * (then the upload is gone); and with what ended the body too early: then what came is kept.
   */
  receive(id: string, tenant: string, delivery: Delivery): Promise<UploadRecord>;
}

export interface ReceiverOptions {
  readonly store: BlobStore;
  readonly records: Records;
  readonly claims: Claims;
  readonly completion: Completion;
  readonly places: OpenPlaces;
  readonly limits: UploadLimits;
  readonly partTtlSeconds: number;
  readonly now?: () => number;
}

/** A claim is lost in this moment only to somebody who came at the same time. */
const TRIES = 3;

export function createReceiver(options: ReceiverOptions): Receiver {
  const { store, records, claims, completion, places, limits, partTtlSeconds, now = records.now } = options;
  const most = mostOf(limits);
  const expiry = (): number => now() + partTtlSeconds * 1000;

  /** Opens the segment for this writer: the last, if its writer has ended for certain, else a new one. */
  async function claim(id: string, tenant: string, delivery: Delivery): Promise<Claim | UploadRecord> {
    for (let tries = 0; tries < TRIES; tries++) {
      const stored = await completion.settle(id, tenant);
      const record = stored.value;
      const length = checked(record, delivery, most);
      if (isWhole(record)) return record;
      const last = record.segments.at(-1);
      const segments: readonly StoredPiece[] =
        last?.closed === true
          ? [...record.segments.slice(0, -1), { ...last, closed: false }]
          : [...record.segments, { key: `${segmentsOf(id)}${randomUUID()}`, bytes: 0, closed: false }];
      const taken = await claims.take(stored, { length, segments }, false);
      if (taken !== undefined) return taken;
    }
    throw new Problem('upload_locked', 'Others send this upload at the same time. Let one of them go on.');
  }

  async function write(held: Claim, delivery: Delivery): Promise<UploadRecord> {
    const { record: before } = held;
    const segment = before.segments.at(-1) as StoredPiece;
    const { checksum } = delivery;
    const came = incoming(delivery.body, held.stop);
    const isPart = before.concat === 'partial';
    let mediaType = before.mediaType;
    let head = mediaType === null && !isPart ? await headOf(store, before.segments) : undefined;
    let unwanted = false;
    const sniffed = (length: number): void => {
      if (head === undefined || mediaType !== null || head.length < SNIFF_BYTES) return;
      unwanted = true;
      mediaType = judge(head, length, limits);
      unwanted = false;
    };
    const digest: Hash | undefined = checksum && createHash(checksum.algorithm);
    async function* watched(): AsyncGenerator<Uint8Array> {
      let offset = before.offset;
      for await (const chunk of came.chunks) {
        digest?.update(chunk);
        offset += chunk.length;
        if (head !== undefined && head.length < SNIFF_BYTES)
          head = Buffer.concat([head, chunk.subarray(0, SNIFF_BYTES - head.length)]);
        // Before the checksum is known, the bytes may be those of somebody else's mistake.
        if (checksum === undefined) sniffed(before.length ?? offset);
        // Where the length was told, it was judged by that, and bytes past it only end this delivery.
        if (before.length === null && mediaType !== null && offset > limitOf(mediaType)) {
          unwanted = true;
          throw tooLong(offset, limitOf(mediaType));
        }
        yield chunk;
      }
    }
    const standing = (bytes: number, closed: boolean): Partial<UploadRecord> => ({
      offset: before.offset + bytes - segment.bytes,
      // One that holds nothing, and that nobody may go on with, is forgotten: the sweeper takes what may come of it.
      segments: [
        ...before.segments.slice(0, -1),
        ...(bytes === 0 && !closed ? [] : [{ ...segment, bytes, closed }]),
      ],
      mediaType,
      // What brings no byte keeps nothing alive.
      ...(bytes > segment.bytes && { expiresAt: expiry() }),
    });
    const room = (before.length ?? limitOf(mediaType)) - before.offset;
    const { bytes, failure, closed } = await store.append(segment.key, watched(), {
      at: segment.bytes,
      maxBytes: room,
      ...(checksum === undefined && { kept: (durable: number) => held.commit(standing(durable, false)) }),
    });
    if (isGone(failure)) throw failure;
    let problem: unknown = failure ?? came.broken();
    let counted = bytes;
    if (
      checksum !== undefined &&
      (problem !== undefined || digest?.digest().equals(checksum.digest) !== true)
    ) {
      counted = segment.bytes;
      problem ??= mismatch(checksum);
    }
    if (checksum !== undefined && counted > segment.bytes) {
      try {
        sniffed(before.length ?? before.offset + counted - segment.bytes);
      } catch (error) {
        problem = error;
      }
    }
    if (unwanted) {
      await completion.discard(held);
      throw problem;
    }
    const end = standing(counted, closed);
    const whole = isWhole({ ...before, ...end });
    await held.commit({ ...end, writer: whole ? joiner(held.record) : null });
    if (counted > segment.bytes) await places.renew(held.id, before.tenant);
    if (whole) await completion.complete(held);
    if (problem !== undefined) throw problem;
    return held.record;
  }

  const limitOf = (mediaType: string | null): number =>
    mediaType?.startsWith('image/') === true ? limits.imageMaxBytes : most;

  return {
    async create({ tenant, name, length, metadata, concat }) {
      const id = newId();
      const at = now();
      if (length !== null && length > most) throw tooLong(length, most);
      const value = newUpload({ tenant, name, length, metadata, concat, expiresAt: expiry() }, at);
      await places.enter(id, tenant, () => records.put(UPLOADS, id, value, placeOf(value, at), 0));
      return { id, value };
    },

    async receive(id, tenant, delivery) {
      const held = await claim(id, tenant, delivery);
      if (!('commit' in held)) return held;
      using owned = held;
      try {
        return await write(owned, delivery);
      } catch (error) {
        if (isGone(error)) await completion.assertThere(owned);
        // Removed while its bytes came: where a segment is no open file, what was being written is there again.
        if (error instanceof Problem && error.code === 'source_not_found') await store.delete(segmentsOf(id));
        throw error;
      } finally {
        // What is being put together behind is still written to.
        if (!isWhole(owned.record)) await completion.letGo(owned);
      }
    },
  };
}

/** A file was not there, or not all of it. */
function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** The length of the upload after this delivery's headers. Throws what they have wrong. */
function checked(
  record: UploadRecord,
  { offset, length, announced = 0 }: Delivery,
  most: number,
): number | null {
  if (isFinal(record))
    throw new Problem('upload_final', 'This upload was put together from parts, and takes no more bytes.');
  if (offset !== record.offset) {
    throw new Problem(
      'upload_offset',
      `The upload stands at ${record.offset} bytes, and Upload-Offset says ${offset}. Send what comes after byte ${record.offset}.`,
      { headers: { 'upload-offset': String(record.offset) } },
    );
  }
  if (length !== undefined && record.length !== null && length !== record.length)
    throw new Problem('invalid_request', `Upload-Length was ${record.length} before, and cannot change.`);
  const whole = record.length ?? length ?? null;
  if (whole !== null && (whole < offset || whole < 1))
    throw new Problem('invalid_request', `Upload-Length is ${whole}, and ${offset} bytes are there already.`);
  if (whole !== null && whole > most) throw tooLong(whole, most);
  if (offset + announced > (whole ?? most)) throw tooLong(offset + announced, whole ?? most);
  return whole;
}

const joiner = ({ writer }: UploadRecord): UploadRecord['writer'] => writer && { ...writer, joining: true };

function mismatch({ algorithm }: Checksum): Problem {
  return new Problem(
    'checksum_mismatch',
    `The bytes that came have another ${algorithm} than Upload-Checksum says. They do not count: send them again.`,
  );
}
