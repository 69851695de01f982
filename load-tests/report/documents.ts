// Puts a report's figures where they are read: the table of load-tests/README.md, and what scenarios have for other documents.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { machineLine } from '../machine.ts';
import type { Document } from '../scenario.ts';
import { withPart, withResults } from './readme.ts';
import type { Report } from './report.ts';

const README = 'load-tests/README.md';

/** Writes them below `root`. Rejects, with nothing of that file changed, where one has not the markers for its part. */
export async function writeDocuments(report: Report, isEverything: boolean, root: string): Promise<void> {
  if (isEverything) await rewrite(join(root, README), (text) => withResults(text, report));
  for (const document of report.scenarios.flatMap(({ documents = [] }) => documents)) {
    await rewrite(join(root, document.path), (text) => withDocument(text, document, report));
  }
}

/** A part says on what it was measured; a whole file is what it is. */
export function withDocument(text: string, { name, text: part }: Document, report: Report): string {
  if (name === undefined) return part;
  const { date, machine } = report;
  const head = `${date.slice(0, 10)}, commit ${machine.commit}: ${machineLine(machine)}.`;
  return withPart(text, markers(name), `${head}\n\n${part}`);
}

/** What stands before and behind a part that a scenario writes. */
export function markers(name: string): { readonly begin: string; readonly end: string } {
  return {
    begin: `<!-- ${name}: written by \`npm run load -- fleet-model --write-readme\` -->`,
    end: `<!-- end of ${name} -->`,
  };
}

async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  });
  await writeFile(path, change(text));
}
