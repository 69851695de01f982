// What works on an output beside its encode and after it, and the files that it gives.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MadeFile } from '../../engine-contracts.ts';
import type { OutputPart, Size } from '../../operations/video-operation.ts';
import type { CheckedPiece } from '../check-piece.ts';

export interface FinishContext {
  readonly part: OutputPart;
  /** Absolute path of the output's files. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Hands a file over before the output is finished; it is gone from the folder afterwards. A later one of that name replaces it. */
  readonly publish: (file: MadeFile & { readonly path: string }) => Promise<void>;
}

export interface Finished {
  /** All files that clients are told of; the first is the one that the output's address gives. */
  readonly files: readonly MadeFile[];
  readonly size?: Size | null;
  readonly durationSeconds?: number | null;
  /** Bytes of everything, where it is more than `files`. */
  readonly bytes?: number;
  readonly warnings?: readonly string[];
  readonly decisions?: readonly string[];
}

/** Works beside the encode. */
export interface Follower {
  /** Looks at what there is by now. Calls never overlap. */
  poll?(): Promise<void>;
  /** When all pieces are there and checked. Throws Problem `result_broken`. */
  end(pieces: readonly CheckedPiece[]): Promise<Finished>;
}

/** The files of a piece, as they are told to clients. */
export function filesOf({ piece, files }: CheckedPiece): MadeFile[] {
  return files.map(({ file, path, bytes, size }) => ({
    file,
    path,
    bytes,
    mediaType: piece.mediaType,
    width: size?.width ?? null,
    height: size?.height ?? null,
  }));
}

/** Writes a text into the output's folder. */
export async function textFile(
  { folder }: Pick<FinishContext, 'folder'>,
  file: string,
  mediaType: string,
  text: string,
): Promise<MadeFile & { readonly path: string }> {
  const path = join(folder, file);
  const bytes = Buffer.from(text);
  await writeFile(path, bytes);
  return { file, path, mediaType, bytes: bytes.length, width: null, height: null };
}
