// The log: JSON lines for machines, coloured lines in a terminal; nothing secret in either.

import { hostname } from 'node:os';
import { destination, pino } from 'pino';
import type { Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';

export type { Logger } from 'pino';

/** Bytes of lines that could not be written and are kept for the next try. */
const MOST_UNWRITTEN = 1 << 20;

/** A logger on standard output. Every line names the process and its machine; requests and jobs add `reqId` and `jobId`. */
export function createLogger(config: Pick<Config, 'LOG_LEVEL' | 'LOG_FORMAT'>): Logger {
  const isPretty = config.LOG_FORMAT === 'pretty' || (config.LOG_FORMAT === 'auto' && process.stdout.isTTY);
  const options = {
    level: config.LOG_LEVEL,
    base: { pid: process.pid, hostname: hostname() },
    hooks: { streamWrite: withoutSecrets },
    redact: {
      paths: [
        'req.headers.authorization',
        'req.headers.cookie',
        'headers.authorization',
        'headers.cookie',
        '*.apiKey',
        '*.secret',
        '*.signature',
      ],
      censor: '[redacted]',
    },
  };
  // Written at once, not by libuv's pool: a process that is killed must not take its last lines along, and one whose pool is stuck must still be able to say so.
  if (isPretty) {
    return pino(
      options,
      unbreakable(pretty({ ignore: 'hostname', translateTime: 'HH:MM:ss.l', sync: true })),
    );
  }
  return pino(options, unbreakable(destination({ fd: 1, sync: true, maxLength: MOST_UNWRITTEN })));
}

/** Keys, sessions and the secrets of webhooks have a form of their own: found wherever a client has put them, in an address or a name, whatever stands before them (`%20`, `\\n`). */
function withoutSecrets(line: string): string {
  return line.replaceAll(/(mm_[0-9a-z]{12}|ms_[0-9a-z]{12}|whsec)_[A-Za-z0-9_+/=%-]{16,}/g, '$1_[redacted]');
}

/** A disk that is full under the log must not stop the work: without a listener every line that cannot be written throws. */
function unbreakable<T extends { on(event: 'error', listener: () => void): unknown }>(stream: T): T {
  stream.on('error', () => undefined);
  return stream;
}
