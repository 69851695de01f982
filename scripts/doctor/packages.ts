// Looks at Node, at the installed packages, and at whether sharp works. Needs no package itself, so that it can say that they are missing.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { missing, ok, warning } from './finding.ts';
import type { Finding } from './finding.ts';

const REINSTALL = 'rm -rf node_modules && ./scripts/setup';

/** `version` as of process.version; `engines` as in package.json: `>=24.15`. */
export function node(version: string, engines: string): Finding {
  const needed = engines.replace('>=', '');
  return compareVersions(version.replace('v', ''), needed) >= 0
    ? ok('node', `${version}; ${needed} or later is needed`)
    : missing('node', `${version} is too old; ${needed} or later is needed`, './scripts/setup');
}

/** Negative if `a` is the older one; compares as many numbers as `b` has. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const differences = b.split('.').map((part, index) => (left[index] ?? 0) - Number(part));
  return differences.find((difference) => difference !== 0) ?? 0;
}

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string;
        readonly optional?: boolean;
        readonly dev?: boolean;
        readonly link?: boolean;
      }
    >
  >;
}

/** Compares package-lock.json with what npm noted when it installed. */
export async function packages(root: string): Promise<Finding> {
  const [wanted, installed] = await Promise.all(
    ['package-lock.json', 'node_modules/.package-lock.json'].map((path) => readLock(join(root, path))),
  );
  if (wanted === undefined) {
    return missing(
      'packages',
      'package-lock.json is not there or cannot be read',
      'git checkout package-lock.json',
    );
  }
  if (installed === undefined) return missing('packages', 'not installed', './scripts/setup');
  // A link's own entry says nothing; the folder that it leads to has one too.
  const entries = Object.entries(wanted.packages).filter(([path, { link }]) => path !== '' && link !== true);
  const absent = entries.filter(([path]) => installed.packages[path] === undefined);
  const lacking = absent.filter(([, entry]) => entry.optional !== true && entry.dev !== true);
  const other = entries.filter(([path, { version }]) => {
    const found = installed.packages[path];
    return found !== undefined && found.version !== version;
  });
  const wrong = [...lacking, ...other].map(([path]) => path.replace(/^node_modules\//, ''));
  if (wrong.length > 0) {
    const some = wrong.slice(0, 3).join(', ') + (wrong.length > 3 ? ', …' : '');
    return missing('packages', `${wrong.length} do not match package-lock.json: ${some}`, REINSTALL);
  }
  const without = absent.some(([, entry]) => entry.dev === true && entry.optional !== true);
  return ok(
    'packages',
    `${entries.length - absent.length} as package-lock.json says${without ? ', without those for development' : ''}`,
  );
}

async function readLock(path: string): Promise<Lock | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Lock;
  } catch {
    return undefined;
  }
}

// libvips reads and writes AVIF as a kind of HEIF.
const FORMATS = ['jpeg', 'png', 'webp', 'heif', 'gif', 'tiff', 'svg'] as const;

/** Whether sharp's native part loads on this machine, and what it reads and writes. */
export async function sharp(): Promise<Finding> {
  try {
    const { default: library } = await import('sharp');
    const unread = FORMATS.filter((format) => !library.format[format].input.buffer);
    const text = `${library.versions.sharp} with libvips ${library.versions.vips}`;
    return unread.length === 0
      ? ok('sharp', `${text}; reads ${FORMATS.map(shown).join(', ')}`)
      : warning('sharp', `${text}; cannot read ${unread.map(shown).join(', ')}`, REINSTALL);
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().split('\n')[0] : String(error);
    return missing('sharp', `does not load, so no image can be made: ${reason}`, REINSTALL);
  }
}

function shown(format: (typeof FORMATS)[number]): string {
  return format === 'heif' ? 'avif' : format;
}
