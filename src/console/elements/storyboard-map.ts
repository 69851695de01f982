// The WebVTT map of a storyboard: which part of which sprite shows a moment.

export interface Tile {
  /** Seconds. */
  readonly from: number;
  readonly to: number;
  /** Address of the sprite. */
  readonly url: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const CUE = /([\d:.]+) --> ([\d:.]+)[^\n]*\n([^\n#]+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;

/** `base`: the address of the map, from which those of the sprites are taken. */
export function readStoryboard(text: string, base: string): readonly Tile[] {
  return [...text.replaceAll('\r\n', '\n').matchAll(CUE)].map(([, from, to, file, ...place]) => {
    const [x = 0, y = 0, width = 0, height = 0] = place.map(Number);
    return { from: seconds(from), to: seconds(to), url: new URL(file ?? '', base).href, x, y, width, height };
  });
}

export function tileAt(tiles: readonly Tile[], at: number): Tile | undefined {
  return tiles.find(({ from, to }) => from <= at && at < to) ?? tiles.at(-1);
}

/** `00:01:02.500` or `01:02.500`. */
function seconds(time = '0'): number {
  return time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}
