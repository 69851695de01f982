// How bright each pixel of an RGBA picture is, as seen on white.

/** 0–255 for each pixel: Rec. 709 luma of the sRGB values. */
export function luminance(rgba: Uint8Array): Float32Array {
  const luma = new Float32Array(rgba.length / 4);
  for (let i = 0; i < luma.length; i++) {
    const at = i * 4;
    const bright = 0.2126 * rgba[at]! + 0.7152 * rgba[at + 1]! + 0.0722 * rgba[at + 2]!;
    const alpha = rgba[at + 3]! / 255;
    luma[i] = bright * alpha + 255 * (1 - alpha);
  }
  return luma;
}
