// The files of the console as browsers get them: TypeScript without its types, libraries from their packages, an ETag each.

import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export interface ConsoleFile {
  readonly mediaType: string;
  readonly etag: string;
  readonly bytes: Buffer;
  /** The same, packed with gzip. */
  readonly packed: Buffer;
}

export interface ConsolePage extends ConsoleFile {
  readonly contentSecurityPolicy: string;
}

export interface ConsoleFiles {
  page(): Promise<ConsolePage>;
  /** By its path below `/console/`. Undefined if there is no such file. */
  file(path: string): Promise<ConsoleFile | undefined>;
}

const FOLDER = fileURLToPath(new URL('../console/', import.meta.url));
const PAGE = 'index.html';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  // Browsers go by the type alone, whatever the ending is.
  '.ts': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** What the pages take of each package: below `vendor/`, the module that leads to the package, and the file beside it. */
const LIBRARIES: Readonly<Record<string, readonly [module: string, file: string]>> = {
  'lit-html/lit-html.js': ['lit-html', '../lit-html.js'],
  'lit-html/directive.js': ['lit-html', '../directive.js'],
  'lit-html/directives/live.js': ['lit-html', '../directives/live.js'],
  'lit-html/directives/repeat.js': ['lit-html', '../directives/repeat.js'],
  'lit-html/directive-helpers.js': ['lit-html', '../directive-helpers.js'],
  'uplot.js': ['uplot', './uPlot.esm.js'],
  'uplot.css': ['uplot', './uPlot.min.css'],
  'hls.js': ['hls.js', './hls.min.mjs'],
  'tus.js': ['tus-js-client', '../../dist/tus.min.js'],
};

/**
 * Read at the first request for each, and kept. `folder` is that of the console's own sources. Nothing is built
 * beforehand: what is in the folder is what is served.
 */
export function consoleFiles(folder: string = FOLDER): ConsoleFiles {
  const known = new Map<string, Promise<ConsoleFile>>();
  let names: Promise<ReadonlySet<string>> | undefined;
  let page: Promise<ConsolePage> | undefined;
  const kept = (path: string, read: () => Promise<Buffer>): Promise<ConsoleFile> => {
    const found = known.get(path) ?? read().then((bytes) => fileOf(path, bytes));
    known.set(path, found);
    // What could not be read is asked for again.
    found.catch(() => known.delete(path));
    return found;
  };
  return {
    page() {
      page ??= readFile(join(folder, PAGE)).then(async (bytes) => ({
        ...(await fileOf(PAGE, bytes)),
        contentSecurityPolicy: policyFor(bytes.toString()),
      }));
      page.catch(() => (page = undefined));
      return page;
    },
    async file(path) {
      const library = path.startsWith('vendor/') ? path.slice('vendor/'.length) : undefined;
      if (library !== undefined) {
        const place = Object.hasOwn(LIBRARIES, library) ? LIBRARIES[library] : undefined;
        return place && (await kept(path, () => readFile(libraryFile(...place))));
      }
      names ??= listed(folder);
      if (!(await names).has(path)) return undefined;
      return kept(path, () => readFile(join(folder, path)));
    },
  };
}

/** Only what is there by name: a path of a request never reaches the disk. */
async function listed(folder: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(folder, { recursive: true });
  return new Set(
    entries
      .map((entry) => entry.replaceAll('\\', '/'))
      .filter((entry) => entry !== PAGE && Object.hasOwn(MEDIA_TYPES, extname(entry))),
  );
}

/** Packages lie wherever Node finds them: beside this program, or above it where it was installed as one of many. */
function libraryFile(module: string, file: string): URL {
  return new URL(file, import.meta.resolve(module));
}

async function fileOf(path: string, source: Buffer): Promise<ConsoleFile> {
  const extension = extname(path);
  const bytes = extension === '.ts' ? Buffer.from(stripTypeScriptTypes(source.toString())) : source;
  return {
    mediaType: MEDIA_TYPES[extension] ?? 'application/octet-stream',
    etag: `"${hash('sha256', bytes, 'base64url').slice(0, 22)}"`,
    bytes,
    packed: await promisify(gzip)(bytes),
  };
}

/** Everything from here alone. The import map stands in the page, and is named by its hash (CSP 3, 6.7.2). */
function policyFor(html: string): string {
  const map = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? '';
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash('sha256', map, 'base64')}'`,
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
