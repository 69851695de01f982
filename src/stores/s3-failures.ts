// What an error of S3 means to whoever asked.

import { ConfigError } from '../config.ts';
import { Problem } from '../problems.ts';
import { missing } from './disk-files.ts';

/** As the SDK throws: the code of S3 is the name (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). */
interface S3Error extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The object is not there, or another one than was meant. */
const GONE: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound', 'PreconditionFailed']);
const FULL: ReadonlySet<string> = new Set([
  'QuotaExceeded',
  'XMinioStorageFull',
  'InsufficientStorage',
  'EntityTooLarge',
]);

/**
 * ENOENT for what is not there, `storage_full`, else `backend_unavailable`. An error that is no answer of S3 and
 * none of its connection comes back as it is.
 */
export function s3Failure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Problem) return error;
  const status = statusOf(error);
  if (GONE.has(error.name)) return missing(`the store has no such object: ${error.name}`);
  if (FULL.has(error.name) || status === 507)
    return new Problem('storage_full', 'The store has no room left. Nothing was kept; try again later.', {
      cause: error,
    });
  if (error instanceof TypeError || error instanceof RangeError) return error;
  return new Problem(
    'backend_unavailable',
    'The store of files cannot be reached at the moment. Send the request again; what runs goes on.',
    { cause: error },
  );
}

/** Whether S3 has answered that it will not do so, now or later. */
export function isFinalAnswer(error: unknown): boolean {
  const status = error instanceof Error ? statusOf(error) : undefined;
  return status !== undefined && [400, 405, 411, 501].includes(status);
}

/** The code of S3's answer that is behind an error of the calls. */
export function s3Code(error: unknown): string | undefined {
  const cause = error instanceof Problem ? error.cause : error;
  return cause instanceof Error ? cause.name : undefined;
}

/** Some stores answer these with 404, or by names of their own. */
const KEY_REFUSED: ReadonlySet<string> = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'AccessDenied',
  'XAdminUserNotFound', // VersityGW
]);

/** For people, when the server starts. Names nothing secret. */
export function unusable(
  error: unknown,
  { bucket, endpoint, region }: { bucket: string; endpoint?: string | undefined; region: string },
): Error {
  const status = error instanceof Error ? statusOf(error) : undefined;
  const code = error instanceof Error ? error.name : '';
  const { origin, pathname } = new URL(endpoint ?? 'https://amazonaws.com');
  // Who puts the bucket into the address sees it here.
  const where = endpoint === undefined ? `AWS in ${region}` : origin + pathname.replace(/\/$/, '');
  const why =
    status === 401 || status === 403 || KEY_REFUSED.has(code)
      ? 'may not be used with these credentials: check S3_ACCESS_KEY, S3_SECRET_KEY and what they are allowed'
      : status === 404
        ? 'is not there: make it, or correct S3_BUCKET or S3_ENDPOINT'
        : status === 301 || status === 400
          ? 'lies elsewhere, or is asked for in the wrong way: check S3_REGION, S3_ENDPOINT and S3_PATH_STYLE'
          : 'cannot be reached: check S3_ENDPOINT, and whether the store runs';
  const text = `The bucket ${bucket} at ${where} ${why}${reasonOf(error, status)}.`;
  // What has given no answer, or a bad one, may answer later: whoever starts tries again.
  return status === undefined || status >= 500
    ? new Problem('backend_unavailable', text, { cause: error })
    : new ConfigError(text, { cause: error });
}

/** In brackets: the code of S3's answer, or what the system says of the connection. */
function reasonOf(error: unknown, status: number | undefined): string {
  if (!(error instanceof Error)) return '';
  const system = (error as NodeJS.ErrnoException).code;
  const reason = status === undefined ? error.message || system : `${status} ${error.name}`;
  return reason === undefined || reason === '' ? '' : ` (${reason.trim()})`;
}

function statusOf(error: S3Error): number | undefined {
  return error.$metadata?.httpStatusCode;
}
