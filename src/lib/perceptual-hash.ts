// dHash: a fingerprint that stays nearly the same when a picture is scaled, compressed or lightened.

/** What `differenceHash` wants: pixels. */
export const HASH_SIZE = { width: 9, height: 8 } as const;

/**
 * 64 bits as 16 hexadecimal digits of the 9 × 8 brightnesses of a picture: row by row, a bit is 1 where a pixel is darker
 * than the one to its right. Pictures that differ in at most some 10 bits look alike.
 */
export function differenceHash(luma: ArrayLike<number>): string {
  const { width, height } = HASH_SIZE;
  let bits = 0n;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width - 1; x++) {
      const at = y * width + x;
      bits = (bits << 1n) | (luma[at]! < luma[at + 1]! ? 1n : 0n);
    }
  }
  return bits.toString(16).padStart(16, '0');
}
