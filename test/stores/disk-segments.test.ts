import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { appendToDisk } from '../../src/stores/disk-segments.ts';

it('keeps what was written when the room ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-segments-'));
  try {
    let room = 1;
    const append = appendToDisk({ pathOf: (key) => join(folder, key), free: async () => room });
    const chunk = Buffer.alloc(8 * 1024 * 1024, 'x');
    const told: number[] = [];
    async function* body(): AsyncGenerator<Uint8Array> {
      yield chunk;
      room = 0;
      for (;;) yield chunk;
    }
    const { bytes, failure } = await append('one', body(), {
      at: 0,
      maxBytes: 1e12,
      kept: async (count) => void told.push(count),
    });
    expect(failure).toMatchObject({ code: 'storage_full' });
    expect(bytes).toBeGreaterThan(0);
    expect(told.at(-1)).toBe(bytes);
    expect((await readFile(join(folder, 'one'))).length).toBe(bytes);
  } finally {
    await rm(folder, { recursive: true });
  }
});
