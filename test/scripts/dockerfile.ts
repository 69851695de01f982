// Reads the Dockerfile and .dockerignore as Docker does, as far as ours go: no heredocs, no ARG, no ONBUILD.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

interface Instruction {
  readonly keyword: string;
  /** What follows it, continuation lines joined. */
  readonly rest: string;
}

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export function readDockerfile(): Stage[] {
  const lines = readFileSync(join(root, 'Dockerfile'), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  const instructions = lines
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => {
      const [, keyword = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { keyword, rest };
    });
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const instruction of instructions) {
    if (instruction.keyword === 'FROM') {
      const [base = '', , name] = instruction.rest.split(/\s+/);
      stages.push({ base, name, instructions: [] });
    } else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

/** The last one's, as only that counts, or undefined. */
export function last(stage: Stage, keyword: string): string | undefined {
  return stage.instructions.findLast((instruction) => instruction.keyword === keyword)?.rest;
}

/** `["node", "src/main.ts"]` as an array. Throws for the shell form. */
export function execForm(rest: string | undefined): string[] {
  const words: unknown = JSON.parse(rest ?? '');
  if (!Array.isArray(words) || words.length === 0) throw new Error(`not the exec form: ${rest}`);
  return words.map(String);
}

/** The command of HEALTHCHECK, in its exec form. */
export function healthcheck(stage: Stage): string[] {
  return execForm(last(stage, 'HEALTHCHECK')?.replace(/^.*? ?CMD /, ''));
}

export function environment(stage: Stage): Record<string, string> {
  const pairs = stage.instructions
    .filter(({ keyword }) => keyword === 'ENV')
    .flatMap(({ rest }) => rest.split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2)));
}

interface Copy {
  /** The stage it copies from; undefined: the build's context, which is the repository. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export function copies(stage: Stage): Copy[] {
  return stage.instructions
    .filter(({ keyword }) => keyword === 'COPY')
    .map(({ rest }) => {
      const words = rest.split(/\s+/);
      const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
      const paths = words.filter((word) => !word.startsWith('--'));
      return { from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
    });
}

/** Whether .dockerignore keeps a path of the repository out of the build: the last line that matches it or a folder above it decides. */
export function isIgnored(path: string): boolean {
  const parts = path.split('/');
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  let ignored = false;
  for (const line of readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')) {
    const pattern = line.trim();
    if (pattern === '' || pattern.startsWith('#')) continue;
    const negated = pattern.startsWith('!');
    const expression = new RegExp(
      `^${(negated ? pattern.slice(1) : pattern)
        .replaceAll('.', '\\.')
        .replace(/^\*\*\//, '(.*/)?')
        .replaceAll(/(?<![.)])\*/g, '[^/]*')}$`,
    );
    if (prefixes.some((prefix) => expression.test(prefix))) ignored = !negated;
  }
  return ignored;
}
