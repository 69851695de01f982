// Holding values against the schemas of the OpenAPI document.

import { z } from 'zod';
import type { OpenApi } from '../../src/reference/openapi.ts';

type Schema = Parameters<typeof z.fromJSONSchema>[0];

/** Throws what is wrong with the value. */
export function holdAgainst(document: OpenApi, schema: unknown, value: unknown): void {
  // Beside a reference only the schemas that it leads to are of interest, under the name that JSON Schema itself has.
  const $defs: Record<string, unknown> = {};
  const gather = (from: unknown): void => {
    for (const [, name = ''] of JSON.stringify(from).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (Object.hasOwn($defs, name)) continue;
      $defs[name] = document.components.schemas[name];
      gather($defs[name]);
    }
  };
  gather(schema);
  const text = JSON.stringify({ $defs, ...(schema as object) });
  const whole = JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Schema;
  const parsed = z.fromJSONSchema(whole).safeParse(value);
  if (!parsed.success)
    throw new Error(`${z.prettifyError(parsed.error)}\nin ${JSON.stringify(value, null, 1).slice(0, 1500)}`);
}
