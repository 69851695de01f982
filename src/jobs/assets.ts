// Fetches the other pictures that the steps of image outputs name (watermarks, masks), for whoever renders.

import type { ImageEngine, SourceReader } from '../engine-contracts.ts';
import { assetsOf } from '../operations/assets.ts';
import type { ImageOutput } from '../operations/image.ts';
import { Problem } from '../problems.ts';

const MAX_ASSETS = 10;

export interface AssetLimits {
  /** Whose stored sources may be read. */
  readonly tenant: string;
  /** Of each. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Their bytes, by reference; each is read once. Rejects with a Problem: `recipe_invalid` for too many, and whatever
 * the reader says (`source_not_found`, `source_forbidden` …).
 */
export async function readAssets(
  outputs: readonly ImageOutput[],
  reader: SourceReader,
  { tenant, maxBytes, signal }: AssetLimits,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const references = assetsOf(outputs);
  assertAssetCount(references);
  const read = references.map(async (reference) => {
    const { bytes } = await reader.read(reference, { tenant, maxBytes, ...(signal && { signal }) });
    return [reference, bytes] as const;
  });
  return new Map(await Promise.all(read));
}

/** Throws `recipe_invalid` for more other pictures than an order may name. */
export function assertAssetCount({ length }: readonly string[]): void {
  if (length <= MAX_ASSETS) return;
  throw new Problem(
    'recipe_invalid',
    `The steps name ${length} other pictures; at most ${MAX_ASSETS} are allowed.`,
  );
}

/** An engine that reads the other pictures of its outputs itself, so that routes and runner need not know of them. */
export function withAssets(
  engine: ImageEngine,
  reader: SourceReader,
  limits: Pick<AssetLimits, 'maxBytes'>,
): ImageEngine {
  return {
    async render(source, outputs, options = {}) {
      if (options.assets !== undefined || assetsOf(outputs).length === 0) {
        return engine.render(source, outputs, options);
      }
      const { tenant, signal } = options;
      if (tenant === undefined) throw new Error('other pictures are asked for, and nobody says whose');
      const assets = await readAssets(outputs, reader, { ...limits, tenant, signal });
      return engine.render(source, outputs, { ...options, assets });
    },
    inspect: (...task) => engine.inspect(...task),
    admit: () => engine.admit(),
    load: () => engine.load(),
    close: () => engine.close(),
  };
}
