// The calls to S3 that the store is made of: bounded in time, tried again where that helps, failing as everything here fails.

import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Readable } from 'node:stream';
import type { Blob, ByteRange } from '../contracts.ts';
import { clientConfig, connectS3 } from './s3-connections.ts';
import type { S3ConnectionOptions } from './s3-connections.ts';
import { isFinalAnswer, s3Failure, unusable } from './s3-failures.ts';
import { once, patiently } from './s3-patience.ts';
import type { Manner } from './s3-patience.ts';

export interface S3Options extends S3ConnectionOptions {
  readonly bucket: string;
  /** What all keys in the bucket begin with: empty, or ending with `/`. */
  readonly prefix: string;
}

/** An object as it was at one moment. */
export interface S3Object extends Blob {
  /** Changes with the bytes. */
  readonly etag: string;
}

/** Keys are without the prefix of the bucket. Rejects as `s3Failure` says. */
export interface S3 {
  readonly bucket: string;
  /** One call with its own bound of time; for commands that stand elsewhere. */
  send: <T>(
    call: (client: S3Client, options: { abortSignal: AbortSignal }) => Promise<T>,
    options?: CallOptions,
  ) => Promise<T>;
  /** In the bucket. */
  keyOf: (key: string) => string;
  head: (key: string, signal?: AbortSignal) => Promise<S3Object | undefined>;
  /** Only the object with that ETag, where one is named: rejects with ENOENT for another. */
  get: (
    key: string,
    options: {
      readonly range?: ByteRange | undefined;
      readonly etag?: string | undefined;
      readonly signal: AbortSignal;
    },
  ) => Promise<{ body: Readable; etag: string; bytes: number }>;
  put: (key: string, body: Uint8Array, signal?: AbortSignal) => Promise<void>;
  copy: (from: string, to: string) => Promise<void>;
  delete: (keys: readonly string[]) => Promise<void>;
  /** By name, in the order of their bytes. */
  list: (prefix: string) => AsyncGenerator<Blob>;
  /** An address that gives the object to anybody, made without a call. */
  sign: (key: string, options: SignOptions) => Promise<string>;
  close: () => void;
}

export interface SignOptions {
  readonly seconds: number;
  readonly mediaType: string;
  readonly disposition: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that it may take with all tries. */
  readonly within?: number;
  /** The store itself moves bytes, and may say nothing meanwhile. */
  readonly moves?: boolean;
}

/** Calls that carry few bytes, and those that carry a part or make the store move bytes, in milliseconds. */
const CALL_MS = 30_000;
export const TRANSFER_MS = 300_000;
/** As DeleteObjects allows. */
const DELETE_AT_ONCE = 1000;

/**
 * Rejects with an Error for people where the bucket is not there or may not be used, and with `backend_unavailable` where the
 * store cannot be reached, which may be otherwise a moment later.
 */
export async function openS3(
  options: S3Options & { readonly publicEndpoint?: string | undefined },
): Promise<S3 & { /** Goes on trying for a minute. */ readonly patient: S3 }> {
  const { bucket: Bucket, prefix, publicEndpoint } = options;
  const connections = connectS3(options);
  const { client, mover } = connections;
  const signer =
    publicEndpoint === undefined
      ? client
      : new S3Client(clientConfig({ ...options, endpoint: publicEndpoint }));
  const keyOf = (key: string): string => `${prefix}${key}`;

  const hasty: S3['send'] = async (call, { signal, within = CALL_MS, moves = false } = {}) => {
    const bound = AbortSignal.timeout(within);
    const abortSignal = signal === undefined ? bound : AbortSignal.any([signal, bound]);
    try {
      if (moves) return await call(mover, { abortSignal });
      return await connections.twice((s3) => call(s3, { abortSignal }), abortSignal);
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Failure(error);
    }
  };

  const close = (): void => {
    connections.close();
    signer.destroy();
  };

  try {
    // HeadBucket asks for rights beyond the prefix, and its answer has no body that would say what is wrong.
    await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: 1 }), {
      abortSignal: AbortSignal.timeout(CALL_MS),
    });
  } catch (error) {
    close();
    throw unusable(error, options);
  }

  async function deleteSome(keys: readonly string[]): Promise<void> {
    const one = async (key: string): Promise<void> => {
      await hasty((s3, how) => s3.send(new DeleteObjectCommand({ Bucket, Key: keyOf(key) }), how));
    };
    if (keys.length === 1) return one(keys[0] as string);
    const Objects = keys.map((key) => ({ Key: keyOf(key) }));
    try {
      const { Errors = [] } = await client.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
        { abortSignal: AbortSignal.timeout(CALL_MS) },
      );
      const [failed] = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
      if (failed !== undefined) throw Object.assign(new Error(failed.Message), { name: failed.Code });
    } catch (error) {
      // Some stores know only the single one.
      if (!isFinalAnswer(error)) throw s3Failure(error);
      for (const key of keys) await one(key);
    }
  }

  const get: S3['get'] = async (key, { range, etag, signal }) => {
    const command = new GetObjectCommand({
      Bucket,
      Key: keyOf(key),
      ...(range && { Range: `bytes=${range.start}-${range.end}` }),
      ...(etag !== undefined && etag !== '' && { IfMatch: etag }),
    });
    // The answer's body outlives the call: the bound is on its beginning alone.
    const begun = new AbortController();
    const timer = setTimeout(() => begun.abort(new DOMException('took too long', 'TimeoutError')), CALL_MS);
    try {
      const abortSignal = AbortSignal.any([signal, begun.signal]);
      const answer = await connections.twice((s3) => s3.send(command, { abortSignal }), abortSignal);
      const body = answer.Body as Readable;
      // It may break before anybody reads it, who then is told; an error that nobody hears ends the process.
      body.on('error', () => undefined);
      return { body, etag: answer.ETag ?? '', bytes: answer.ContentLength ?? 0 };
    } catch (error) {
      signal.throwIfAborted();
      throw s3Failure(error);
    } finally {
      clearTimeout(timer);
    }
  };

  const callsIn = (manner: Manner): S3 => {
    const send: S3['send'] = (call, how) => manner(() => hasty(call, how), how?.signal);
    return callsBy(send, (key, how) => manner(() => get(key, how), how.signal));
  };

  const callsBy = (send: S3['send'], getBy: S3['get']): S3 => ({
    bucket: Bucket,
    send,
    keyOf,
    get: getBy,

    async head(key, signal) {
      try {
        const command = new HeadObjectCommand({ Bucket, Key: keyOf(key) });
        const found = await send((s3, how) => s3.send(command, how), { signal });
        return {
          key,
          bytes: found.ContentLength ?? 0,
          modifiedAt: found.LastModified?.getTime() ?? 0,
          etag: found.ETag ?? '',
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },

    async put(key, body, signal) {
      const command = new PutObjectCommand({
        Bucket,
        Key: keyOf(key),
        Body: body,
        ContentLength: body.length,
      });
      await send((s3, how) => s3.send(command, how), { signal, within: TRANSFER_MS });
    },

    async copy(from, to) {
      const command = new CopyObjectCommand({
        Bucket,
        Key: keyOf(to),
        CopySource: `${Bucket}/${keyOf(from)}`,
      });
      await send((s3, how) => s3.send(command, how), { within: TRANSFER_MS, moves: true });
    },

    async delete(keys) {
      for (let done = 0; done < keys.length; done += DELETE_AT_ONCE)
        await deleteSome(keys.slice(done, done + DELETE_AT_ONCE));
    },

    async *list(below) {
      let ContinuationToken: string | undefined;
      do {
        const page = await send((s3, how) =>
          s3.send(new ListObjectsV2Command({ Bucket, Prefix: keyOf(below), ContinuationToken }), how),
        );
        for (const { Key = '', Size = 0, LastModified } of page.Contents ?? [])
          yield { key: Key.slice(prefix.length), bytes: Size, modifiedAt: LastModified?.getTime() ?? 0 };
        ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (ContinuationToken !== undefined);
    },

    sign: (key, { seconds, mediaType, disposition }) =>
      getSignedUrl(
        signer,
        new GetObjectCommand({
          Bucket,
          Key: keyOf(key),
          ResponseContentType: mediaType,
          ResponseContentDisposition: disposition,
          ResponseCacheControl: 'private, no-store',
        }),
        { expiresIn: seconds },
      ),

    close,
  });
  return { ...callsIn(once), patient: callsIn(patiently) };
}
