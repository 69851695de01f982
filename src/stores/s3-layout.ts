// A segment on S3, where nothing grows: objects named `{segment}/{generation}-{start}-{random}`, and what they are together.

import { randomUUID } from 'node:crypto';
import type { Blob } from '../contracts.ts';
import { SEGMENTS_FOLDER } from '../uploads/upload-names.ts';
import type { S3 } from './s3-client.ts';

/** An object of a segment: its first `bytes` bytes stand in the segment from `start` on. */
export interface SegmentPart {
  readonly key: string;
  /** Grows with each object that is written: it takes the place of whatever older ones have from its start on. */
  readonly generation: number;
  readonly start: number;
  readonly bytes: number;
}

export interface SegmentLayout {
  /** One behind the other, without a gap. */
  readonly parts: readonly SegmentPart[];
  /** Objects that say nothing any more: replaced, or written by somebody who was left behind. */
  readonly stale: readonly string[];
  /** The generation of the newest object; 0 if there is none. */
  readonly newest: number;
}

export function isSegment(key: string): boolean {
  return key.startsWith(SEGMENTS_FOLDER);
}

/** Milliseconds since 1970 and bytes have fewer digits: the order of names is that of generations. */
const DIGITS = 15;
const PART = /^(?<segment>.+)\/(?<generation>\d{15})-(?<start>\d{15})-[0-9a-f-]+$/;

export function partKey(segment: string, generation: number, start: number): string {
  const [made, from] = [generation, start].map((number) => String(number).padStart(DIGITS, '0'));
  return `${segment}/${made}-${from}-${randomUUID()}`;
}

/**
 * Above all that is there. The clock takes part, so that an object which S3 writes long after its sender gave up
 * is older than what was written since.
 */
export function nextGeneration(newest: number, now: number): number {
  return Math.max(newest + 1, now);
}

/** What objects of one segment, in the order of their names, are together. */
export function layOut(objects: readonly { readonly key: string; readonly bytes: number }[]): SegmentLayout {
  const parts: SegmentPart[] = [];
  const stale: string[] = [];
  let newest = 0;
  for (const { key, bytes } of objects) {
    const named = PART.exec(key)?.groups;
    if (named === undefined) continue; // not ours
    const part = { key, generation: Number(named['generation']), start: Number(named['start']), bytes };
    newest = Math.max(newest, part.generation);
    const dropped = cut(parts, part.start);
    stale.push(...dropped.map((each) => each.key));
    // What it stood behind is gone: it says nothing.
    if (extentOf(parts) < part.start) stale.push(key);
    else parts.push(part);
  }
  return { parts, stale, newest };
}

/** Leaves what stands before `at`, in place; returns the parts of which nothing is left. */
export function cut(parts: SegmentPart[], at: number): SegmentPart[] {
  const dropped: SegmentPart[] = [];
  for (let last = parts.at(-1); last !== undefined && last.start >= at; last = parts.at(-1)) {
    dropped.push(last);
    parts.pop();
  }
  const last = parts.at(-1);
  if (last !== undefined && last.start + last.bytes > at)
    parts[parts.length - 1] = { ...last, bytes: at - last.start };
  return dropped;
}

export function extentOf(parts: readonly SegmentPart[]): number {
  const last = parts.at(-1);
  return last === undefined ? 0 : last.start + last.bytes;
}

/** Undefined if there is no such segment. */
export async function readLayout(s3: S3, key: string): Promise<SegmentLayout | undefined> {
  const objects = await Array.fromAsync(s3.list(`${key}/`));
  return objects.length === 0 ? undefined : layOut(objects);
}

/** The segments that such objects are, which come in the order of their names. */
export async function* segmentsAmong(objects: AsyncIterable<Blob>): AsyncGenerator<Blob> {
  let segment: string | undefined;
  let own: Blob[] = [];
  for await (const object of objects) {
    const name = PART.exec(object.key)?.groups?.['segment'];
    if (name === undefined) continue;
    if (name !== segment && segment !== undefined) yield asBlob(segment, own);
    if (name !== segment) own = [];
    segment = name;
    own.push(object);
  }
  if (segment !== undefined) yield asBlob(segment, own);
}

export function asBlob(key: string, objects: readonly Blob[]): Blob {
  return {
    key,
    bytes: extentOf(layOut(objects).parts),
    modifiedAt: Math.max(...objects.map(({ modifiedAt }) => modifiedAt)),
  };
}
