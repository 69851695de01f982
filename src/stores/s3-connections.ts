// The connections to S3: how long one on which nothing moves is waited for, and what is asked again.

import { S3Client } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';

export interface S3ConnectionOptions {
  readonly region: string;
  /** Of AWS, for the region, if it is not said. */
  readonly endpoint?: string | undefined;
  readonly pathStyle: boolean;
  /** Those that the SDK finds on the machine, if they are not said. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** For tests: milliseconds without a byte after which a connection is given up, and another that is tried in its place. */
  readonly idleMs?: readonly [first: number, last: number] | undefined;
}

export interface S3Connections {
  /** For all calls but these. */
  readonly client: S3Client;
  /** For calls that the store may work on for minutes without a word. */
  readonly mover: S3Client;
  /**
   * Calls, and calls once more on another connection where nothing moved on the first: that may have been cut. A store that
   * hangs is so noticed within half a minute, however large what is sent; what moves slowly goes on.
   */
  twice<T>(call: (client: S3Client) => Promise<T>, signal: AbortSignal): Promise<T>;
  close(): void;
}

const CONNECT_MS = 3000;
/** The SDK begins to count 3 s after the call has begun, but at once below 6 s: 28 s together. */
const IDLE_MS = [20_000, 5000] as const;
const MOVING_IDLE_MS = 240_000;
const TRIES = 4;
/** Results that are read slowly hold one each. */
const SOCKETS = 4096;

export function connectS3(options: S3ConnectionOptions): S3Connections {
  const [firstMs, lastMs] = options.idleMs ?? IDLE_MS;
  const client = leavingStill(new S3Client(clientConfig(options, firstMs)));
  const last = leavingStill(new S3Client(clientConfig(options, lastMs)));
  const mover = new S3Client(clientConfig(options, MOVING_IDLE_MS));
  return {
    client,
    mover,
    async twice(call, signal) {
      try {
        return await call(client);
      } catch (error) {
        if (signal.aborted || !isStill(error)) throw error;
        return call(last);
      }
    },
    close() {
      for (const each of [client, last, mover]) each.destroy();
    },
  };
}

export function clientConfig(
  { region, endpoint, pathStyle, credentials }: S3ConnectionOptions,
  idleMs: number = IDLE_MS[0],
): S3ClientConfig {
  const agent = { keepAlive: true, maxSockets: SOCKETS };
  return {
    region,
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    ...(credentials && { credentials }),
    maxAttempts: TRIES,
    // Other stores than AWS know them only in part; the signature covers the bytes of whatever is sent.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Each would take a connection of its own, and seconds where the store does not answer it.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: idleMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
  };
}

/** As the SDK calls a connection on which nothing moves, or that is not made in time. */
function isStill(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/** The SDK would wait as long again for each of its tries. */
function leavingStill(client: S3Client): S3Client {
  const usual = client.config.retryStrategy;
  client.config.retryStrategy = async () => {
    const strategy = await usual();
    if (!('refreshRetryTokenForRetry' in strategy)) return strategy;
    return {
      acquireInitialRetryToken: (scope) => strategy.acquireInitialRetryToken(scope),
      async refreshRetryTokenForRetry(token, info) {
        if (info.error !== undefined && isStill(info.error)) throw info.error;
        return strategy.refreshRetryTokenForRetry(token, info);
      },
      recordSuccess: (token) => strategy.recordSuccess(token),
    };
  };
  return client;
}
