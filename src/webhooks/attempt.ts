// One attempt to bring a message to its receiver, as Standard Webhooks has it.

import { PostFailed } from '../lib/safe-post.ts';
import type { SafePost } from '../lib/safe-post.ts';
import { webhookSignature } from '../lib/webhook-signature.ts';
import type { Attempt, Delivery } from './delivery.ts';
import { retryAfterMs } from './schedule.ts';

export interface AttemptOptions {
  readonly post: SafePost;
  /** All of them sign. */
  readonly secrets: readonly string[];
  readonly userAgent: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

export interface Attempted {
  readonly attempt: Attempt;
  /** Milliseconds that the receiver asked to wait. */
  readonly wish?: number | undefined;
}

/** Never rejects. Undefined if the signal broke it off: that does not count. */
export async function attemptDelivery(
  { messageId, body, url, trace }: Delivery,
  { post, secrets, userAgent, now, signal }: AttemptOptions,
): Promise<Attempted | undefined> {
  const at = now();
  const begun = performance.now();
  const timestamp = Math.floor(at / 1000);
  const failed = (error: string): Attempted => ({
    attempt: { at, status: null, error, ms: Math.round(performance.now() - begun), responseHead: '' },
  });
  try {
    const { status, head, retryAfter } = await post(url, {
      headers: {
        'content-type': 'application/json',
        'user-agent': userAgent,
        'webhook-id': messageId,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': webhookSignature({ id: messageId, timestamp, body }, secrets),
        ...(trace !== null && { traceparent: trace }),
      },
      body,
      signal,
    });
    const ms = Math.round(performance.now() - begun);
    return {
      attempt: { at, status, error: errorOf(status), ms, responseHead: head },
      wish: status === 429 || status === 503 ? retryAfterMs(retryAfter, now()) : undefined,
    };
  } catch (error) {
    if (signal.aborted) return undefined;
    return failed(error instanceof PostFailed ? error.message : 'it could not be sent');
  }
}

function errorOf(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  const redirect = status >= 300 && status < 400 ? ': redirects are not followed' : '';
  return `the receiver answered ${status}${redirect}`;
}
