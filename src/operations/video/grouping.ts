// Which pieces are made by one run.

import type { Piece, Take, Window } from '../video-operation.ts';
import type { Named } from './run.ts';

/** Pieces that are made by one run. */
export interface Group {
  readonly window: Window;
  readonly members: readonly Named[];
}

export function momentOf(piece: Piece): (Take & { from: 'moment' }) | null {
  for (const stream of piece.streams) {
    if (stream.kind === 'frames' && stream.take.from === 'moment') return stream.take;
  }
  return null;
}

export function decodes({ piece }: Named): boolean {
  return piece.streams.some(({ kind }) => kind === 'frames');
}

/** Its first files are published while the rest is being made. */
export function isStream({ piece }: Named): boolean {
  return piece.expects.kind === 'segments';
}

/** Nothing of it is encoded but sound, so it takes next to no time. */
export function onlyCopies(member: Named): boolean {
  return (
    !isStream(member) &&
    !decodes(member) &&
    member.piece.streams.some(({ options }) => options['c'] === 'copy')
  );
}

/** It is made of the whole source, whatever is cut out of that. */
export function isCutText({ piece }: Named): boolean {
  return piece.cut !== undefined;
}

export function keyframesSuffice(member: Named): boolean {
  return !decodes(member) || member.piece.keyframesSuffice === true;
}

export function holds(window: Window, at: number): boolean {
  return at >= window.start && (window.end === null || at < window.end);
}

/**
 * Pieces that decode share a decode where their windows overlap: no second is decoded twice, and none that nobody
 * asked for. What is only copied joins a run of the very same window.
 */
export function groupClips(clips: readonly Named[]): Group[] {
  const groups: Group[] = [];
  const end = ({ window }: Group): number => window.end ?? Infinity;
  for (const clip of clips.filter(decodes).toSorted((a, b) => a.window.start - b.window.start)) {
    const last = groups.at(-1);
    const { window } = clip;
    if (last !== undefined && window.start < end(last)) {
      const until = Math.max(end(last), window.end ?? Infinity);
      groups[groups.length - 1] = {
        window: { start: last.window.start, end: until === Infinity ? null : until },
        members: [...last.members, clip],
      };
    } else {
      groups.push({ window, members: [clip] });
    }
  }
  for (const clip of clips) {
    if (decodes(clip)) continue;
    const host = groups.findIndex((group) => sameWindow(group.window, clip.window));
    const group = groups[host];
    if (group === undefined) groups.push({ window: clip.window, members: [clip] });
    else groups[host] = { ...group, members: [...group.members, clip] };
  }
  return groups;
}

function sameWindow(a: Window, b: Window): boolean {
  return a.start === b.start && a.end === b.end;
}
