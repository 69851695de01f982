// What ioredis does not promise of itself: that a call which was given up is never carried out, and that none waits for ever.

import { Redis } from 'ioredis';
import type { Command, RedisOptions } from 'ioredis';

type Send = Parameters<Redis['sendCommand']>;

/** Not a letter of the call was sent: it has not taken place, and never will. */
export const NOT_SENT = 'REDIS_NOT_SENT';
/** The call was sent, and no answer came: it may have taken place. */
export const UNANSWERED = 'REDIS_UNANSWERED';

/** These set a connection up, before it is ready. */
const HANDSHAKE: ReadonlySet<string> = new Set(['hello', 'auth', 'select', 'client', 'info', 'readonly']);

/**
 * ioredis keeps calls that are made while it is disconnected, and carries them out later, though their caller was told
 * that they failed; and it forgets those that were under way when the connection broke. A guarded connection lets a call
 * wait for at most `patience` milliseconds (Infinity: for as long as it takes) until it may be sent, and else drops it.
 */
export function guard(redis: Redis, patience: number): Redis {
  const send = redis.sendCommand.bind(redis);
  const disconnect = redis.disconnect.bind(redis);
  const waiting = new Map<
    Command,
    { readonly stream: Send[1]; readonly timer: NodeJS.Timeout | undefined }
  >();
  const underWay = new Set<Command>();
  let isClosed = false;

  const isOpen = (): boolean => redis.status === 'ready' && redis.stream?.writable;

  function sendNow(command: Command, stream: Send[1]): unknown {
    underWay.add(command);
    const answered = (error?: unknown): void => {
      underWay.delete(command);
      // It carries the arguments, and errors are logged.
      if (error instanceof Error && 'command' in error) delete error.command;
    };
    command.promise.then(() => answered(), answered);
    return send(command, stream);
  }

  redis.sendCommand = (command: Command, stream?: Send[1]): unknown => {
    const isSettingUp = redis.status === 'connect' && HANDSHAKE.has(command.name);
    if (isOpen() || isSettingUp) return sendNow(command, stream);
    if (command.name === 'quit' || command.name === 'disconnect') {
      redis.disconnect();
      command.resolve(Buffer.from('OK'));
    } else if (isClosed || redis.status === 'end') {
      command.reject(notSent('The connection to Redis is closed'));
    } else {
      if (redis.status === 'wait') redis.connect().catch(() => undefined);
      const giveUp = (): void => {
        waiting.delete(command);
        command.reject(notSent(`Redis was not reached within ${patience} ms`));
      };
      const timer = Number.isFinite(patience) ? setTimeout(giveUp, patience) : undefined;
      waiting.set(command, { stream, timer });
    }
    return command.promise;
  };

  function dropWaiting(): void {
    for (const [command, { timer }] of waiting) {
      clearTimeout(timer);
      command.reject(notSent('The connection to Redis is closed'));
    }
    waiting.clear();
  }

  redis.on('ready', () => {
    for (const [command, { stream, timer }] of waiting) {
      if (!isOpen()) return;
      clearTimeout(timer);
      waiting.delete(command);
      sendNow(command, stream);
    }
  });
  redis.on('close', () => {
    // BullMQ knows a broken connection by these very words.
    const lost = Object.assign(new Error('Connection is closed.'), { code: UNANSWERED });
    for (const command of underWay) command.reject(lost);
  });
  redis.on('end', dropWaiting);

  redis.disconnect = (reconnect = false) => {
    if (!reconnect) {
      isClosed = true;
      dropWaiting();
    }
    disconnect(reconnect);
  };
  // BullMQ makes its blocking connections so.
  const duplicate = (override: Partial<RedisOptions> = {}): Redis => {
    const copy = new Redis({ ...redis.options, ...override, replyMapping: 'legacy' });
    return guard(copy, patience);
  };
  return Object.assign(redis, { duplicate });
}

function notSent(message: string): Error {
  return Object.assign(new Error(message), { code: NOT_SENT });
}
