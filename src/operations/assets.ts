// Which other pictures outputs need beside their source.

import type { ImageOutput } from './image.ts';
import { operationOf } from './image-plan.ts';

/** The references that steps name (`upload:{id}` or an https URL), each once. */
export function assetsOf(outputs: readonly Pick<ImageOutput, 'steps'>[]): string[] {
  const references = outputs.flatMap(({ steps }) =>
    steps.flatMap((step) => operationOf(step).sources?.(step) ?? []),
  );
  return [...new Set(references)];
}
