// Records of calls as a process leaves them that dies after it has made something and before it could answer.

import { hash } from 'node:crypto';
import type { RecordKind } from '../../src/contracts.ts';
import { openRecords } from '../../src/registers/open.ts';
import type { TestServer } from '../support/server.ts';

interface Call {
  readonly until: number;
  readonly expiresAt: number;
  readonly seal: unknown;
  readonly answer: unknown;
}
export const CALLS: RecordKind<Call> = { name: 'idempotency' };

/** Of a call that was answered: as if it had not been, and its lease had run out. */
export async function dieBeforeAnswer({ config }: Pick<TestServer, 'config'>, key: string): Promise<void> {
  const records = await openRecords(config);
  try {
    const id = hash('sha256', `default\0${key}`);
    const stored = await records.get(CALLS, id);
    if (stored === undefined || stored.value.answer === null) throw new Error(`${key} was not answered`);
    const value = { ...stored.value, answer: null, until: 0 };
    const place = { group: 'default', expiresAt: value.expiresAt };
    if (!(await records.put(CALLS, id, value, place, stored.version))) throw new Error('somebody was first');
  } finally {
    await records.close();
  }
}
