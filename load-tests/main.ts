// `npm run load -- NAME`: runs load scenarios against a server of their own and writes the report.

import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { CheckFailed } from './check.ts';
import { parseOptions, USAGE, UsageError } from './options.ts';
import type { LoadOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { writeDocuments } from './report/documents.ts';
import { drawPage } from './report/page.ts';
import { runScenarios } from './run.ts';
import { ROOT } from './server-process.ts';

async function main(options: LoadOptions, signal: AbortSignal): Promise<void> {
  const progress = createProgress(process.stderr);
  try {
    const command = `npm run load -- ${process.argv.slice(2).join(' ')}`;
    const report = await runScenarios(options, command, { progress, signal });
    await mkdir(options.out, { recursive: true });
    const stem = join(options.out, `${report.date.slice(0, 19).replaceAll(':', '-')}-${options.name}`);
    await writeFile(`${stem}.json`, `${JSON.stringify(report, null, 1)}\n`);
    await writeFile(`${stem}.html`, drawPage(report));
    if (options.writeReadme) await writeDocuments(report, options.name === 'all', ROOT);
    progress.say(`Report: ${relative('.', stem)}.html and .json`);
  } finally {
    progress.close();
  }
}

/** What a person needs of an error: all of it for a bug of ours, the message for a wrong answer. */
function describe(error: unknown): string {
  if (interrupted.signal.aborted) return String(interrupted.signal.reason);
  if (error instanceof CheckFailed) return `Wrong answer, so there is no report: ${error.message}`;
  // Stopping the server failed too: what came first is what counts.
  if (error instanceof SuppressedError) return describe(error.suppressed);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => interrupted.abort(`Interrupted by ${name}: there is no report.`));
}
try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else await main(options, interrupted.signal);
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : describe(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
