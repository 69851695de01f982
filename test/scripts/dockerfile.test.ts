// The rules that the container keeps. That it works is shown by production.test.ts, which does what it says without Docker.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  copies,
  environment,
  execForm,
  healthcheck,
  isIgnored,
  last,
  readDockerfile,
  root,
} from './dockerfile.ts';

const KNOWN = [
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'RUN',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
];
const stages = readDockerfile();
const final = stages.at(-1) ?? { base: '', name: undefined, instructions: [] };

test('every line is understood, and none is ADD', () => {
  const keywords = stages.flatMap(({ instructions }) => instructions.map(({ keyword }) => keyword));
  expect(keywords.length).toBeGreaterThan(15);
  expect(keywords.filter((keyword) => !KNOWN.includes(keyword))).toEqual([]);
});

test('the base is the pinned Node, to the last number', () => {
  const runtime = JSON.parse(readFileSync(join(root, 'scripts/runtime/package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  const versions = new Set(Object.values(runtime.optionalDependencies));
  expect(versions.size).toBe(1);
  for (const { base } of stages)
    expect(base).toMatch(new RegExp(`^node:${[...versions].join('')}-\\w+-slim$`));
});

test('it runs as a user by number, who is not root', () => {
  const keywords = final.instructions.map(({ keyword }) => keyword);
  expect(last(final, 'USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(keywords.lastIndexOf('USER')).toBeLessThan(keywords.indexOf('CMD'));
});

test('nothing opens it to others by default', () => {
  expect(environment(final)).toMatchObject({ HOST: '0.0.0.0', NODE_ENV: 'production' });
  expect(environment(final)).not.toHaveProperty('ALLOW_UNAUTHENTICATED');
});

test('packages of the system come without recommended ones and leave no lists behind', () => {
  const runs = stages.flatMap(({ instructions }) => instructions.filter(({ keyword }) => keyword === 'RUN'));
  const installs = runs.filter(({ rest }) => rest.includes('apt-get install'));
  expect(installs).toHaveLength(1);
  for (const { rest } of installs) {
    expect(rest).toMatch(
      /^apt-get update && apt-get install .*--no-install-recommends .*&& rm -rf \/var\/lib\/apt\/lists\/\*$/,
    );
  }
});

test('packages of npm come from the lockfile, with the optional ones', () => {
  const install = stages.flatMap(({ instructions }) => instructions).find(({ rest }) => rest.includes('npm'));
  expect(install?.rest).toMatch(/^npm ci --omit=dev /);
  expect(install?.rest).not.toContain('optional');
});

test('commands are exec forms, so that signals arrive, under an init', () => {
  expect(execForm(last(final, 'ENTRYPOINT'))[0]).toBe('tini');
  expect(execForm(last(final, 'CMD'))).toEqual(['node', 'src/main.ts']);
  expect(healthcheck(final).slice(0, 2)).toEqual(['node', '-e']);
  expect(last(final, 'STOPSIGNAL')).toBe('SIGTERM');
});

test('what is copied is there, and reaches the build', () => {
  const fromHere = stages.flatMap((stage) => copies(stage)).filter(({ from }) => from === undefined);
  expect(fromHere.length).toBeGreaterThan(3);
  for (const { sources, target } of fromHere) {
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true);
      expect(isIgnored(source), source).toBe(false);
      // Without the slash a file could land under the folder's name.
      if (sources.length > 1 || statSync(join(root, source)).isDirectory()) expect(target).toMatch(/\/$/);
    }
  }
});

test.each([
  'node_modules',
  'node_modules/zod/package.json',
  'data',
  'data/jobs.db',
  '.git',
  '.git/HEAD',
  '.env',
  'src/.env',
  'coverage',
  'test/scripts/dockerfile.ts',
  'npm-debug.log',
  'scripts/runtime/node_modules/x',
])('%s stays out of the build', (path) => {
  expect(isIgnored(path)).toBe(true);
});

test('the sources get into the build', () => {
  expect(isIgnored('src/main.ts')).toBe(false);
  expect(isIgnored('scripts/doctor/finding.ts')).toBe(false);
});
