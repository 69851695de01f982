// docs/operations.md, from the operation tables.

import { z } from 'zod';
import { imageOutputSchema } from '../../src/operations/image.ts';
import { imageSetSchema } from '../../src/operations/image-set.ts';
import { describeOperations } from '../../src/operations/reference.ts';
import type { OperationReference } from '../../src/operations/reference.ts';
import { fieldsTable, GENERATED } from './markdown.ts';

export function operationsPage(): string {
  const { image, video } = describeOperations();
  const output = z.toJSONSchema(imageOutputSchema, { io: 'input', unrepresentable: 'any' });
  const set = z.toJSONSchema(imageSetSchema, { io: 'input', unrepresentable: 'any' });
  return `${GENERATED}
# Operations

The same list, with the limits of a running server, is at \`GET /v1/operations\`.

## Images

An output of type \`image\` runs \`steps\` in the order given; each is \`{ "op": "name", … }\`. In a URL (\`POST /v1/images?…\`) each step has a
short form, and the steps run in the order of this page.

${fieldsTable(output as Parameters<typeof fieldsTable>[0])}

${image.map(section).join('\n')}
## Sets of images

An output of type \`imageSet\` makes one picture in several widths and formats, from one decode. The job has them in \`files\`, with a
\`srcset\` for each format and the \`html\` of a \`<picture>\`. \`POST /v1/images/set?widths=320,640&formats=webp,jpeg\` makes them at once, as
multipart/mixed or, for \`Accept: application/zip\`, as a ZIP.

${fieldsTable(set as Parameters<typeof fieldsTable>[0])}

## Videos

Each is an output \`{ "type": "name", … }\` of a recipe. The parameters of \`transcode\` are those of \`POST /v1/videos?…\` too.

${video.map(section).join('\n')}`;
}

function section({ name, summary, params, examples }: OperationReference): string {
  const shown = examples.map((example) => {
    const { shows, params: given, query } = example as { shows: string; params: unknown; query?: string };
    return `- ${shows}: \`${JSON.stringify(given)}\`${query === undefined ? '' : `, in a URL \`?${query}\``}`;
  });
  return `### ${name}

${summary}

${fieldsTable(params as Parameters<typeof fieldsTable>[0])}

${shown.join('\n')}
`;
}
