// How bright colours are to the eye.

type Row = [red: number, green: number, blue: number];

const BRIGHTNESS: Row = [0.299, 0.587, 0.114];

/**
 * A matrix that puts brightness (Rec. 601 luma) into all three channels, for sharp's `recomb`. Its `grayscale` would
 * take transparency away with the colours where raw pixels come out.
 */
export const LUMA: [Row, Row, Row] = [BRIGHTNESS, BRIGHTNESS, BRIGHTNESS];
