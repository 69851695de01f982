// The filter graph of one FFmpeg run: one decode, split to everything that needs frames of it.

import type { VideoStream } from '../media-probe.ts';
import type { Size, Source, Take, Window } from '../video-operation.ts';
import { toFrames, toSmaller } from './frames.ts';

/** Something that wants frames, in the order in which it gets its label. */
export interface Branch {
  readonly take: Take;
  /** What it wants of the source, in seconds. */
  readonly window: Window;
}

export interface Graph {
  /** For `-filter_complex`. */
  readonly text: string;
  /** One for each branch: `[v0]` … */
  readonly labels: readonly string[];
  /** For each branch: the size whose frames it is scaled from, or null if it comes straight from the source. */
  readonly scaledFrom: readonly (Size | null)[];
  /** References of the assets laid over, in the order of the inputs after the source. */
  readonly assets: readonly string[];
}

interface Picture {
  readonly index: number;
  readonly take: Take & { from: 'picture' };
}

/** Pictures that can be scaled from one another: same part of the source, same rate. */
interface Chain {
  readonly window: Window;
  readonly fps: number | null;
  readonly sampled: boolean;
  readonly pictures: Picture[];
}

/** Joins the branches. `run` is the stretch of the source that FFmpeg reads: its start is time 0 in the graph. */
export function buildGraph(
  source: Source,
  video: VideoStream,
  branches: readonly Branch[],
  run: Window,
): Graph {
  const chains = chainsOf(branches);
  const moments = branches.flatMap(({ take }, index) => (take.from === 'moment' ? [{ index, take }] : []));
  const statements: string[] = [];
  const overlays = new Overlays();
  const scaledFrom: (Size | null)[] = branches.map(() => null);

  const users = chains.length + moments.length;
  const inlets = Array.from({ length: users }, (_, user) =>
    users === 1 ? `[0:${video.index}]` : `[s${user}]`,
  );
  if (users > 1) statements.push(`[0:${video.index}]split=${users}${inlets.join('')}`);

  for (const [number, chain] of chains.entries()) {
    let inlet = inlets[number] ?? '';
    let filters = cutting(chain.window, run);
    const levels = levelsOf(chain);
    for (const [depth, { size, pictures }] of levels.entries()) {
      const above = levels[depth - 1];
      filters.push(
        ...(above === undefined ? toFrames(source, video, size, chain.fps, chain.sampled) : toSmaller(size)),
      );
      if (above === undefined && chain.fps !== null) filters.push(...ending(chain.window, run));
      const isLast = depth === levels.length - 1;
      const rest = isLast ? '' : `[n${number}x${depth}]`;
      const [only] = pictures;
      if (isLast && pictures.length === 1 && only !== undefined) {
        statements.push(...overlays.finish(inlet, [...filters, ...only.take.filters], only));
      } else {
        const outlets = pictures.map(({ take, index }) => (isPlain(take) ? `[v${index}]` : `[t${index}]`));
        const count = outlets.length + (isLast ? 0 : 1);
        filters.push(...(count > 1 ? [`split=${count}`] : []));
        statements.push(`${inlet}${filters.join(',')}${outlets.join('')}${rest}`);
        for (const picture of pictures) {
          if (isPlain(picture.take)) continue;
          statements.push(...overlays.finish(`[t${picture.index}]`, picture.take.filters, picture));
        }
      }
      for (const { index } of pictures) scaledFrom[index] = above?.size ?? null;
      inlet = rest;
      filters = [];
    }
  }
  for (const [number, { index, take }] of moments.entries()) {
    const inlet = inlets[chains.length + number] ?? '';
    const isAlone = branches.length === 1 && run.start >= take.at;
    const frames = isAlone ? take.frames : take.frames + 1;
    const choosing = isAlone ? [] : [selecting(take.at - run.start, take.frames)];
    statements.push(`${inlet}${[...choosing, ...take.filters(frames)].join(',')}[v${index}]`);
  }
  return {
    text: statements.join(';'),
    labels: branches.map((_, index) => `[v${index}]`),
    scaledFrom,
    assets: overlays.assets,
  };
}

function isPlain({ filters, overlays = [], last = [] }: Picture['take']): boolean {
  return filters.length + overlays.length + last.length === 0;
}

/** The last statements of pictures, and which assets they need as inputs. Each use of an asset is an input of its own. */
class Overlays {
  readonly assets: string[] = [];

  /** From frames to a branch's label. */
  finish(inlet: string, before: readonly string[], { take, index }: Picture): string[] {
    const statements: string[] = [];
    let frames = inlet;
    let filters = [...before];
    for (const [number, { from, filters: drawn, place }] of (take.overlays ?? []).entries()) {
      const [under, over] = [`[o${index}x${number}]`, `[m${index}x${number}]`];
      if (filters.length > 0) statements.push(`${frames}${filters.join(',')}${under}`);
      statements.push(`${this.#inlet(from)}${drawn.join(',')}${over}`);
      frames = `${filters.length > 0 ? under : frames}${over}`;
      filters = [`overlay=${place}`];
    }
    return [...statements, `${frames}${[...filters, ...(take.last ?? [])].join(',')}[v${index}]`];
  }

  #inlet(from: string | number): string {
    if (typeof from === 'number') return `[0:${from}]`;
    this.assets.push(from);
    return `[${this.assets.length}:v:0]`;
  }
}

/**
 * The first frame, and some from a moment on. The first one is the way out when the source ends before the moment:
 * an encoder that never gets a frame fails the whole command in FFmpeg 7 and later.
 */
function selecting(at: number, frames: number): string {
  const time = Math.max(0, at).toFixed(3);
  return `select='not(n)+gte(t\\,${time})*lt(selected_n\\,${frames + 1})'`;
}

function cutting(window: Window, run: Window): string[] {
  if (window.start === run.start && window.end === run.end) return [];
  return ['trim', 'setpts'].map((filter) =>
    filter === 'trim' ? `trim=${span(window, run)}` : `setpts=PTS-${offset(window, run)}/TB`,
  );
}

/** The filter `fps` goes on with the last frame until the run's input ends, whatever was cut off before it. */
function ending(window: Window, run: Window): string[] {
  if (window.end === null || window.end === run.end) return [];
  return [`trim=end=${(window.end - window.start).toFixed(3)}`];
}

/** The same for sound. */
export function cuttingSound(window: Window, run: Window): string[] {
  if (window.start === run.start && window.end === run.end) return [];
  return [`atrim=${span(window, run)}`, `asetpts=PTS-${offset(window, run)}/TB`];
}

function span(window: Window, run: Window): string {
  const end = window.end === null ? '' : `:end=${(window.end - run.start).toFixed(3)}`;
  return `start=${offset(window, run)}${end}`;
}

function offset(window: Window, run: Window): string {
  return (window.start - run.start).toFixed(3);
}

function chainsOf(branches: readonly Branch[]): Chain[] {
  const chains = new Map<string, Chain>();
  for (const [index, { take, window }] of branches.entries()) {
    if (take.from !== 'picture') continue;
    const { fps, sampled = false } = take;
    const key = `${window.start} ${window.end} ${fps} ${sampled}`;
    const chain = chains.get(key) ?? { window, fps, sampled, pictures: [] };
    chain.pictures.push({ index, take });
    chains.set(key, chain);
  }
  return [...chains.values()];
}

/** The sizes of a chain, largest first, each with those who want it. All have the shape of the source, give or take a pixel. */
function levelsOf({ pictures }: Chain): { size: Size; pictures: Chain['pictures'] }[] {
  const levels = new Map<string, { size: Size; pictures: Chain['pictures'] }>();
  for (const picture of pictures) {
    const { size } = picture.take;
    const key = `${size.width}x${size.height}`;
    const level = levels.get(key) ?? { size, pictures: [] };
    level.pictures.push(picture);
    levels.set(key, level);
  }
  return [...levels.values()].toSorted((a, b) => b.size.width * b.size.height - a.size.width * a.size.height);
}
