// docs/problems.md, from the table of problems.

import { PROBLEMS } from '../../src/problems.ts';
import type { ProblemKind } from '../../src/problems.ts';
import { GENERATED, table } from './markdown.ts';

export function problemsPage(): string {
  const rows = Object.entries(PROBLEMS as Record<string, ProblemKind>).map(([code, kind]) => [
    `<a id="${code}"></a>\`${code}\``,
    String(kind.status),
    kind.title,
    [
      kind.retryAfter === undefined ? '' : `\`Retry-After\``,
      kind.jobWaits === true ? 'a job waits and is tried again' : '',
      kind.retryJob === true && kind.jobWaits !== true ? 'a job is tried again' : '',
    ]
      .filter(Boolean)
      .join(', '),
  ]);
  return `${GENERATED}
# Problems

Every error is \`application/problem+json\` (RFC 9457): \`type\`, \`status\`, \`title\`, \`detail\` as the RFC has them, and \`code\`, which is
stable: compare it, never the text. \`errors\` names the fields where there are several. A failed job carries the same document in \`problem\`.

${table(['code', 'status', 'title', ''], rows)}
`;
}
