// The house rules that a reader relies on: imports run downwards, each heavy thing has one door.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const files = [...globSync('src/**/*.ts', { cwd: root }), ...globSync('workers/**/*.ts', { cwd: root })].map(
  (file) => file.replaceAll('\\', '/'),
);

/** From the ground up. A file may import from its own floor and those below. */
const FLOORS: readonly (readonly RegExp[])[] = [
  [/^src\/problems\.ts$/],
  [
    /^src\/(?:config|settings|fleet-settings)\.ts$/,
    /^src\/lib\//,
    /^src\/logger\.ts$/,
    /^src\/(?:sqlite|redis)\//,
  ],
  [
    /^src\/operations\//,
    /^src\/jobs\/(?:job|output-result)\.ts$/,
    /^src\/jobs\/recipe\.ts$/,
    /^src\/(?:engine-|register-|store-)?contracts\.ts$/,
  ],
  // The domain.
  [/^src\/(?:jobs|access|webhooks|uploads|metrics|idempotency|move)\//],
  [/^src\/(?:queues|registers|stores|engines)\//, /^workers\//],
  // Runs anywhere: of the server it may know shapes, by `import type`.
  [/^src\/client\//],
  [/^src\/plugins\//, /^src\/routes\//, /^src\/reference\//],
  // Runs in browsers: of the server it may know shapes, by `import type`.
  [/^src\/console\//, /^src\/cli\//],
  [/^src\/app\.ts$/],
  [/^src\/server(?:\.ts$|\/)/],
  [/^src\/cluster\//],
  [/^src\/main\.ts$/],
];
const floorOf = (file: string): number =>
  FLOORS.findIndex((floor) => floor.some((pattern) => pattern.test(file)));

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [
    ...text.matchAll(
      /^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm,
    ),
  ].map((match) => {
    const target = match[2] ?? match[3] ?? match[4] ?? '';
    const to = target.startsWith('.')
      ? relative(root, resolve(root, dirname(file), target)).replaceAll('\\', '/')
      : target;
    return { from: file, to, typeOnly: match[1] !== undefined };
  });
}

const imports = files.flatMap(importsOf);

describe('imports', () => {
  it('are found at all', () => {
    expect(imports.length).toBeGreaterThan(100);
  });

  it('come from files that have a floor', () => {
    expect(files.filter((file) => floorOf(file) === -1)).toEqual([]);
  });

  it('run downwards', () => {
    // The job table of shapes knows what the contract's types say, so types may cross between neighbours of one seam.
    const upwards = imports.filter(
      ({ from, to, typeOnly }) =>
        to.startsWith('src/') &&
        !(typeOnly && /^src\/(?:engine-|register-|store-)?contracts\.ts$/.test(to)) &&
        floorOf(to) > floorOf(from),
    );
    expect(upwards.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('of the client and the CLI load nothing of the server', () => {
    const outside = imports.filter(
      ({ from, to, typeOnly }) =>
        /^src\/(?:client|cli)\//.test(from) &&
        !typeOnly &&
        !to.startsWith('src/client/') &&
        !(from.startsWith('src/cli/') && /^(?:src\/cli\/|node:)/.test(to)),
    );
    expect(outside.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('never join two adapters', () => {
    const adapter = /^src\/(?:queues|registers|stores|engines)\/([a-z0-9]+)/;
    const room = (file: string): string | undefined =>
      /^src\/(queues|registers|stores|engines)\//.exec(file)?.[1];
    const joined = imports.filter(
      ({ from, to }) => adapter.test(from) && adapter.test(to) && room(from) !== room(to),
    );
    expect(joined.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });
});

describe('doors', () => {
  const behind = (name: string): string[] =>
    [
      ...new Set(
        imports
          .filter(({ to, typeOnly }) => !typeOnly && (to === name || to === `node:${name}`))
          .map(({ from }) => from),
      ),
    ].toSorted();

  it.each([
    ['sharp', ['workers/']],
    ['libheif-js/libheif-wasm/libheif-bundle.js', ['workers/heic.ts']],
    ['piscina', ['src/engines/image-pool.ts', 'workers/image.ts']],
    ['sqlite', ['src/sqlite/', 'src/queues/', 'src/registers/']],
    ['ioredis', ['src/redis/']],
    [
      '@aws-sdk/client-s3',
      ['src/stores/s3-client.ts', 'src/stores/s3-connections.ts', 'src/stores/s3-multipart.ts'],
    ],
    ['@aws-sdk/s3-request-presigner', ['src/stores/s3-client.ts']],
    ['fluent-ffmpeg', ['src/engines/']],
    ['prom-client', ['src/metrics/runtime.ts', 'src/metrics/exposition.ts']],
    ['child_process', ['src/engines/']],
    ['cluster', ['src/cluster/', 'src/main.ts']],
  ])('%s is opened only by %j', (name, doors) => {
    const users = behind(name);
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter((file) => !doors.some((door) => file.startsWith(door)))).toEqual([]);
  });

  it('process.env is read in config.ts and the two main.ts only', () => {
    const readers = files.filter((file) => /process\.env/.test(readFileSync(join(root, file), 'utf8')));
    const entries = ['src/config.ts', 'src/main.ts', 'src/cli/main.ts'];
    expect(readers.filter((file) => !entries.includes(file))).toEqual([]);
  });

  it('files stay small enough to hold in mind', () => {
    const long = files.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 301);
    expect(long).toEqual([]);
  });
});
