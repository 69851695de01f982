// Collects the bytes of a part until they are sent: on the disk, so that many slow senders do not fill the memory.

import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { ByteGate } from './byte-gate.ts';

export interface PartSpool extends AsyncDisposable {
  readonly bytes: number;
  add(chunk: Uint8Array): Promise<void>;
  /**
   * Gives all of it to `send`, when there is room in memory, behind so many bytes that are the caller's to fill. May be
   * called again.
   */
  use<T>(send: (bytes: Buffer) => Promise<T>, options?: UseOptions): Promise<T>;
}

interface UseOptions {
  readonly ahead?: number;
  /** Ends the waiting for room. */
  readonly signal?: AbortSignal | undefined;
}

/** Fewer stay in memory. */
const IN_MEMORY_BYTES = 64 * 1024;
const MOST_CHUNKS = 128;

export interface PartSpoolOptions {
  /** A path that nobody has. */
  readonly unfinished: () => Promise<string>;
  readonly gate: ByteGate;
}

export function partSpool({ unfinished, gate }: PartSpoolOptions): PartSpool {
  let memory: Uint8Array[] = [];
  let inMemory = 0;
  let total = 0;
  let onDisk: { readonly path: string; readonly file: FileHandle } | undefined;

  async function spill(): Promise<void> {
    if (onDisk === undefined) {
      const path = await unfinished();
      onDisk = { path, file: await open(path, 'wx+') };
    }
    const chunk = Buffer.concat(memory);
    const at = total - inMemory;
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await onDisk.file.write(chunk, done, chunk.length - done, at + done);
      done += bytesWritten;
    }
    memory = [];
    inMemory = 0;
  }

  return {
    get bytes() {
      return total;
    },

    async add(chunk) {
      memory.push(chunk);
      inMemory += chunk.length;
      total += chunk.length;
      if (inMemory > IN_MEMORY_BYTES) await spill();
      // A chunk of a few bytes may hold a large buffer that it is a view of.
      else if (memory.length > MOST_CHUNKS) memory = [Buffer.concat(memory)];
    },

    use(send, { ahead = 0, signal } = {}) {
      const work = async (): ReturnType<typeof send> => {
        if (onDisk === undefined) return send(Buffer.concat([Buffer.allocUnsafeSlow(ahead), ...memory]));
        const { file } = onDisk;
        const whole = Buffer.allocUnsafeSlow(ahead + total);
        const before = total - inMemory;
        for (let done = 0; done < before; ) {
          const { bytesRead } = await file.read(whole, ahead + done, before - done, done);
          if (bytesRead === 0) throw new Error('a part that was being collected has lost bytes');
          done += bytesRead;
        }
        Buffer.concat(memory).copy(whole, ahead + before);
        return send(whole);
      };
      return gate.pass(ahead + total, work, signal);
    },

    async [Symbol.asyncDispose]() {
      memory = [];
      await onDisk?.file.close();
      if (onDisk !== undefined) await rm(onDisk.path, { force: true });
      onDisk = undefined;
    },
  };
}
