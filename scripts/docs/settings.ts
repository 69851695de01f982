// docs/settings.md, from the settings' schema.

import { z } from 'zod';
import { settings } from '../../src/config.ts';
import { GENERATED, table } from './markdown.ts';

export function settingsPage(): string {
  const rows = Object.entries(settings).map(([name, schema]) => {
    const standard = (schema as z.ZodType).safeParse(undefined).data;
    return [
      `\`${name}\``,
      standard === undefined ? autoOrNothing(schema) : `\`${String(standard)}\``,
      schema.description ?? '',
    ];
  });
  return `${GENERATED}
# Settings

Each is an environment variable, read once at start; an empty one counts as unset. All mistakes are told together, and the
server does not start with any. \`kill -HUP\` of the primary replaces the processes one by one, which reads \`PRESETS_FILE\` again.

${table(['setting', 'default', 'meaning'], rows)}
`;
}

function autoOrNothing(schema: z.ZodType): string {
  return schema.safeParse('auto').success &&
    !(schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodString)
    ? '`auto`'
    : '–';
}
