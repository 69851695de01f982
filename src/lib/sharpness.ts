// How sharp a picture is: the variance of its Laplacian (Pech-Pacheco et al., ICPR 2000).

/** 0 for a flat or blurred picture, hundreds and more for a detailed one. `luma`: 0–255, row by row. */
export function varianceOfLaplacian(luma: ArrayLike<number>, width: number, height: number): number {
  const count = (width - 2) * (height - 2);
  if (width < 3 || height < 3) return 0;
  let sum = 0;
  let squares = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const value = luma[at - 1]! + luma[at + 1]! + luma[at - width]! + luma[at + width]! - 4 * luma[at]!;
      sum += value;
      squares += value * value;
    }
  }
  const mean = sum / count;
  return Math.round(Math.max(0, squares / count - mean * mean) * 100) / 100;
}
