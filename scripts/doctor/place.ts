// Looks at where Mediamill keeps its data and at where it listens.

import { constants } from 'node:fs';
import { access, mkdtemp, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { missing, ok, warning } from './finding.ts';
import type { Finding } from './finding.ts';

const GiB = 1024 ** 3;

/** Linux's magic numbers (statfs(2)) of the filesystems that people put data on, and what to know of some. */
const NO_LOCKS = 'SQLite needs locks and shared memory that it does not give';
const FILESYSTEMS: Readonly<Record<number, { name: string; trouble?: string }>> = {
  0xef53: { name: 'ext4' },
  0x58465342: { name: 'xfs' },
  0x9123683e: { name: 'btrfs' },
  0x2fc12fc1: { name: 'zfs' },
  0xf2f52010: { name: 'f2fs' },
  0xca451a4e: { name: 'bcachefs' },
  0x01021994: { name: 'tmpfs', trouble: 'it is in memory, and gone with the machine' },
  0x794c7630: { name: 'overlayfs', trouble: 'a container has it, and it is gone with it; mount a volume' },
  0x6969: { name: 'NFS', trouble: NO_LOCKS },
  0xff534d42: { name: 'SMB', trouble: NO_LOCKS },
  0xfe534d42: { name: 'SMB', trouble: NO_LOCKS },
  0x01021997: { name: '9p', trouble: NO_LOCKS },
};

/** Whether `folder` (DATA_DIR, absolute) can be written, how much room there is, and on what kind of filesystem. */
export async function dataFolder(
  folder: string,
  platform: NodeJS.Platform = process.platform,
): Promise<Finding[]> {
  const there = await nearest(folder);
  const cure = `give the user who runs Mediamill the right to write there, or set DATA_DIR`;
  try {
    if (there === folder) await writeInto(folder);
    else await access(there, constants.W_OK | constants.X_OK);
    if (!(await stat(there)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return [
      missing(
        'data',
        `${folder} cannot be ${there === folder ? 'written' : `made in ${there}`} (${code})`,
        cure,
      ),
    ];
  }
  const { type, bavail, bsize } = await statfs(there);
  const kind = platform === 'linux' ? FILESYSTEMS[type] : undefined;
  const free = bavail * bsize;
  const room = `${(free / GiB).toFixed(1)} GiB free`;
  return [
    ok('data', `${folder} ${there === folder ? 'can be written' : 'will be made at the first start'}`),
    free >= 5 * GiB
      ? ok('room', room)
      : warning('room', `${room}: a few long videos fill it`, 'free some, or set DATA_DIR to a larger disk'),
    kind?.trouble === undefined
      ? ok('disk', kind?.name ?? 'of a kind that the doctor does not know')
      : warning('disk', `${kind.name}: ${kind.trouble}`, 'set DATA_DIR to a folder on a local disk'),
  ];
}

/** The folder itself, or the nearest one above that exists. */
async function nearest(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch {
    return dirname(path) === path ? path : await nearest(dirname(path));
  }
}

async function writeInto(folder: string): Promise<void> {
  const probe = await mkdtemp(join(folder, '.doctor-'));
  try {
    await writeFile(join(probe, 'probe'), 'x');
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** Whether HOST:PORT, or ADMIN_HOST:ADMIN_PORT, is free, or else whether a Mediamill has it. */
export async function port(host: string, number: number, prefix: '' | 'ADMIN_' = ''): Promise<Finding> {
  const name = prefix === '' ? 'port' : 'admin';
  const where = `${host}:${number}`;
  const failure = await tryToListen(host, number);
  if (failure === undefined) return ok(name, number === 0 ? 'any free one' : `${where} is free`);
  if (failure === 'EADDRINUSE') {
    const running = await mediamillAt(host, number);
    return running === undefined
      ? missing(
          name,
          `${where} is taken by another program`,
          `end that, or set ${prefix}PORT, e.g. ${prefix}PORT=${number + 1} ./scripts/start`,
        )
      : ok(name, `${where} is taken by a running Mediamill, which is ${running}`);
  }
  return missing(
    name,
    `cannot listen on ${where} (${failure})`,
    failure === 'EACCES' ? `set ${prefix}PORT to 1024 or above` : `correct ${prefix}HOST`,
  );
}

/** The code of the error, or undefined if it worked. */
function tryToListen(host: string, number: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  server.listen({ host, port: number, exclusive: true }, () => server.close(() => resolve(undefined)));
  return promise;
}

/** What the server at this address says of itself, if it is a Mediamill. */
async function mediamillAt(host: string, number: number): Promise<string | undefined> {
  // 0.0.0.0 and :: listen everywhere and are nowhere.
  const address =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  const ask = (path: string) =>
    fetch(`http://${address}:${number}${path}`, { signal: AbortSignal.timeout(3000), redirect: 'error' });
  try {
    const alive = (await (await ask('/livez')).json()) as { status?: unknown };
    if (alive.status !== 'ok') return undefined;
    const { status, checks, of } = (await (await ask('/readyz')).json()) as {
      status?: unknown;
      checks?: Record<string, { ok: boolean; detail?: string }>;
      of?: unknown;
    };
    // The admin port counts processes, and tells only what they lack.
    const isAdmin = typeof of === 'number';
    if (!isAdmin && (checks?.['queue'] === undefined || checks['ffmpeg'] === undefined)) return undefined;
    if (status === 'ready') return 'ready';
    const bad = Object.entries(checks ?? {}).filter(([, check]) => !check.ok);
    if (bad.length === 0) return 'not ready: its log says why';
    return `not ready: ${bad.map(([name, { detail }]) => `${name} ${detail ?? ''}`.trim()).join('; ')}`;
  } catch {
    return undefined;
  }
}
