// Writes the reference in docs/ from the code's own tables and schemas. `--check` only tells what is out of date.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openApiDocument } from './docs/openapi.ts';
import { operationsPage } from './docs/operations.ts';
import { problemsPage } from './docs/problems.ts';
import { settingsPage } from './docs/settings.ts';

const folder = resolve(import.meta.dirname, '../docs');
const pages: Record<string, string> = {
  'settings.md': settingsPage(),
  'problems.md': problemsPage(),
  'operations.md': operationsPage(),
  'openapi.json': await openApiDocument(),
};

const stale: string[] = [];
await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(pages)) {
  const path = join(folder, name);
  const current = await readFile(path, 'utf8').catch(() => undefined);
  if (current === text) continue;
  stale.push(name);
  if (!process.argv.includes('--check')) await writeFile(path, text);
}

if (stale.length === 0) {
  console.log('docs/ is up to date');
} else if (process.argv.includes('--check')) {
  console.error(`out of date: ${stale.map((name) => `docs/${name}`).join(', ')}. Run: npm run docs`);
  process.exitCode = 1;
} else {
  console.log(`wrote ${stale.map((name) => `docs/${name}`).join(', ')}`);
}
