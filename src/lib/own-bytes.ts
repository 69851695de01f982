// Bytes in an ArrayBuffer of their own, so that they can be moved to a thread instead of copied.

/**
 * Collects chunks. Told the final size in advance it writes straight into the final buffer; otherwise it
 * doubles as it goes. Never Node's pooled Buffers: their ArrayBuffer is shared and cannot be moved.
 */
export class OwnBytes {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `expected`: bytes, from Content-Length; a claim, so not more than `most` is reserved for it. */
  constructor(expected: number | undefined, most: number) {
    this.#bytes = unfilled(Math.min(expected ?? 64 * 1024, most));
  }

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const grown = unfilled(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  /** The bytes; nothing may be pushed afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Not filled with zeros, which would cost as much as the copy: only what was pushed is ever handed out. */
function unfilled(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}
