// Copies everything that must not be lost into a new folder, while the server runs: `npm run backup -- FOLDER`.

import { access, copyFile, mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { ConfigError, readConfig } from '../src/config.ts';
import { enterPlace } from '../src/move/enter.ts';

/** What they name is in the store, so they come first: a file too much is swept away later, a file too little is a loss. */
const DATABASES = ['mediamill.sqlite', 'records.sqlite'];

const [target] = process.argv.slice(2);
if (target === undefined || target.startsWith('-')) {
  const isHelp = target === '--help' || target === '-h';
  const usage = 'npm run backup -- FOLDER\n\nFOLDER must not exist yet.\n';
  (isHelp ? process.stdout : process.stderr).write(usage);
  process.exit(isHelp ? 0 : 2);
}
const config = readConfig(process.env);
const { DATA_DIR, QUEUE, STORE } = config;
if (QUEUE === 'bullmq' || STORE === 's3') {
  const parts = [
    ...(QUEUE === 'bullmq'
      ? ['Redis: its append-only file or a snapshot (BGSAVE), as https://redis.io/docs/latest/operate/ says']
      : [`the databases: ${DATABASES.map((name) => join(DATA_DIR, name)).join(', ')}, with sqlite3 .backup`]),
    ...(STORE === 's3'
      ? ['the bucket: by its versioning or replication, or a copy (`aws s3 sync`, `mc mirror`)']
      : [`the files: ${join(DATA_DIR, 'store', 'blobs')}`]),
  ];
  process.stderr.write(
    `What must not be lost does not lie in this machine's folder alone, so nothing was backed up. Back up, in this order:\n` +
      parts.map((part) => `  - ${part}\n`).join('') +
      'A file too much is swept away later; a file too little is a loss.\n',
  );
  process.exit(1);
}
const folder = resolve(target);
for (const name of DATABASES) {
  // Before anything is made: a folder without them would pass for a backup until the day it is needed.
  if (await isThere(join(DATA_DIR, name))) continue;
  process.stderr.write(
    `There is no ${name} in ${resolve(DATA_DIR)}, so nothing was backed up. Set DATA_DIR to the folder of the server.\n`,
  );
  process.exit(1);
}
// What was moved elsewhere is not what must not be lost any more; and half of a move is no backup.
using _ = await enterPlace(config).catch(refuse);
// Fails where it exists: two backups must not be mixed.
await mkdir(folder, { mode: 0o700 });
for (const name of DATABASES) {
  const database = new DatabaseSync(join(DATA_DIR, name), { readOnly: true, timeout: 10_000 });
  // SQLite's online backup: one consistent moment, whoever writes meanwhile.
  await backup(database, join(folder, name));
  database.close();
}
await copyFolder(join(DATA_DIR, 'store', 'blobs'), join(folder, 'store', 'blobs'));
process.stdout.write(`${folder}\n`);

function refuse(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\nNothing was backed up.\n`);
  process.exit(2);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Finished files never change, but they may go while they are copied: then their rows go too. */
async function copyFolder(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true }).catch(unlessGone);
  if (entries === undefined) return;
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of entries) {
    const [source, copy] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyFolder(source, copy);
    else await copyFile(source, copy).catch(unlessGone);
  }
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
