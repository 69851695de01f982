// All operations of the reference.

import type { OperationDoc, OperationDocs } from './operation-doc.ts';
import { aboutDocs } from './operations/about.ts';
import { imageDocs } from './operations/images.ts';
import { jobDocs } from './operations/jobs.ts';
import { uploadDocs } from './operations/uploads.ts';
import { webhookDocs } from './operations/webhooks.ts';

export const operationDocs: OperationDocs = {
  ...imageDocs,
  ...jobDocs,
  ...uploadDocs,
  ...webhookDocs,
  ...aboutDocs,
};

/** The text of an operation's example for the TypeScript client, as it stands between its braces. */
export function scriptOf({ script }: Pick<OperationDoc, 'script'>): string | null {
  if (script === null) return null;
  // Node puts spaces where types were, so the text is else that of the file.
  const text = script.toString();
  const lines = text.slice(text.indexOf(') {') + 3, text.lastIndexOf('}')).split('\n');
  const full = lines.filter((line) => line.trim() !== '');
  const indent = Math.min(...full.map((line) => line.length - line.trimStart().length));
  return full.map((line) => line.slice(indent).replaceAll(/ +(?=[;,)]|$)/g, '')).join('\n');
}
