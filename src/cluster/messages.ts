// What the primary and its processes say to each other.

import type { Hint } from '../contracts.ts';

export type ToPrimary =
  /** Listening; requests may come. */
  | { readonly type: 'ready'; readonly address: string }
  /** An image overran its deadline and cannot be stopped: replace this process. */
  | { readonly type: 'overrun' }
  | { readonly type: 'hint'; readonly hint: Hint };

export type ToProcess =
  /** Take nothing new, end what runs by `deadline` (milliseconds since 1970), leave. */
  | { readonly type: 'drain'; readonly deadline: number }
  | { readonly type: 'hint'; readonly hint: Hint };
