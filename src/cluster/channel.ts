// Sends messages over the IPC channel between the primary and a process, whatever state the channel is in.

import type { ToPrimary, ToProcess } from './messages.ts';

/** One end of the channel: `process`, or a forked ChildProcess. */
export interface ChannelEnd {
  readonly connected: boolean;
  send?(
    message: object,
    handle: undefined,
    options: undefined,
    callback: (error: Error | null) => void,
  ): boolean;
}

/** Unsent messages past which hints are dropped. */
const MOST_UNSENT = 1000;

/**
 * A function that sends and never throws: the other side may die at any moment, and its death is told by
 * 'disconnect' and 'exit', not by a failed send. While the other side does not read (stopped, or its event
 * loop is stuck), hints are dropped, so that memory does not grow; losing one only costs time.
 */
export function channelSender(end: ChannelEnd): (message: ToPrimary | ToProcess) => void {
  // Counted here, since send() also answers false while a connection is being handed over, which is no jam.
  let unsent = 0;
  return (message) => {
    if (!end.connected || end.send === undefined) return;
    if (unsent >= MOST_UNSENT && message.type === 'hint') return;
    unsent += 1;
    // The callback also keeps a failure (EPIPE, a channel closed meanwhile) from becoming an 'error' event.
    end.send(message, undefined, undefined, () => {
      unsent -= 1;
    });
  };
}
