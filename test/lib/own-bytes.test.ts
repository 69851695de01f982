import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { OwnBytes, readOwnStream } from '../../src/lib/own-bytes.ts';

describe('OwnBytes', () => {
  it.each([undefined, 3, 6, 1000])('collects what is pushed when %s bytes were announced', (expected) => {
    const bytes = new OwnBytes(expected, 100_000);
    bytes.push(new Uint8Array([1, 2, 3]));
    bytes.push(new Uint8Array([4, 5, 6]));
    expect([...bytes.take()]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('can be moved to a thread even for tiny bodies, which Node would pool', () => {
    const bytes = new OwnBytes(3, 100);
    bytes.push(Buffer.from('abc'));
    const taken = bytes.take();
    structuredClone(taken, { transfer: [taken.buffer] });
    expect(taken.byteLength).toBe(0);
  });

  it('does not reserve more than is allowed, whatever is announced', () => {
    const bytes = new OwnBytes(10_000_000, 50);
    expect(bytes.take().buffer.byteLength).toBe(50);
  });
});

describe('readOwnStream', () => {
  const { signal } = new AbortController();
  const stream = () => Readable.from([Buffer.from('abc'), Buffer.from('def')]);

  it.each([null, 6])('reads all of a stream of which %s bytes are told', async (expected) => {
    const bytes = await readOwnStream(stream(), expected, signal);
    expect(String(Buffer.from(bytes))).toBe('abcdef');
    structuredClone(bytes, { transfer: [bytes.buffer] });
  });

  it('does not take a part for the whole', async () => {
    await expect(readOwnStream(stream(), 7, signal)).rejects.toMatchObject({ code: 'internal_error' });
  });

  it('ends when nobody wants it any more, with the reason', async () => {
    const controller = new AbortController();
    const reading = readOwnStream(new Readable({ read: () => undefined }), 6, controller.signal);
    const reason = new Error('cancelled');
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });
});
