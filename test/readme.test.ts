// The README's commands are run as they stand, against the real program, and answer what they show.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clipFixture, imageFixture } from './support/fixtures.ts';
import { finishedJob } from './support/jobs.ts';
import { startProgram } from './support/program.ts';
import type { Program } from './support/program.ts';

const bash = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');
const MEDIAMILL = resolve(ROOT, 'scripts/mediamill');
const readme = await readFile(resolve(import.meta.dirname, '../README.md'), 'utf8');

interface Example {
  readonly command: string;
  /** The answer that the README shows under it, if it shows one. */
  readonly answer: string | undefined;
}

const examples: Example[] = [
  ...readme.matchAll(
    /```sh\n((?:curl|URL_KEYS|UPLOAD=|\.\/scripts\/mediamill|npm run keys).*?)```(?:\n\n```(?:http|json)\n(.*?)```)?/gs,
  ),
].map(([, command = '', answer]) => ({ command, answer }));

let program: Program;
let folder: string;
let job = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-readme-'));
  program = await startProgram();
  await writeFile(join(folder, 'photo.jpg'), await imageFixture({ width: 2400, height: 1600, quality: 80 }));
  await writeFile(
    join(folder, 'clip.mkv'),
    await readFile(await clipFixture({ seconds: 1, width: 1920, height: 1080, container: 'mkv' })),
  );
}, 60_000);
afterAll(async () => {
  await program[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Every field that the README shows is in the answer, of the same type; words that do not change are the same. */
function shaped(shown: unknown, came: unknown, path: string): void {
  if (shown === null || came === null || typeof shown !== 'object') {
    if (shown !== null && came !== null) expect(typeof came, path).toBe(typeof shown);
    if (typeof shown === 'string' && /^(?:[a-z_]+|[a-z]+\/[a-z0-9]+)$/.test(shown))
      expect(came, path).toBe(shown);
    return;
  }
  for (const [key, value] of Object.entries(shown)) {
    expect(came, path).toHaveProperty([key]);
    shaped(value, (came as Record<string, unknown>)[key], `${path}.${key}`);
  }
}

describe('the README', () => {
  it('has examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(6);
    expect(examples.filter(({ answer }) => answer !== undefined).length).toBeGreaterThanOrEqual(3);
  });

  it.each(examples)('$command', async ({ command, answer }) => {
    const script = command
      .replaceAll('http://127.0.0.1:3000', program.address)
      .replaceAll('./scripts/mediamill', `${MEDIAMILL} --server ${program.address}`)
      .replaceAll('npm run keys --', `DATA_DIR=keys ${process.execPath} ${resolve(ROOT, 'scripts/keys.ts')}`)
      // The examples run in a folder of their own, where npm has no project.
      .replaceAll(
        'npm run --silent sign --',
        `${process.execPath} ${resolve(import.meta.dirname, '../scripts/sign.ts')}`,
      );
    const { stdout } = await bash('bash', ['-euc', script], {
      cwd: folder,
      env: { ...process.env, JOB: job },
    });
    if (stdout.startsWith('{"id"') && stdout.includes('"outputs"')) {
      const accepted = JSON.parse(stdout) as { id: string };
      if (command.includes('/v1/videos?')) job = accepted.id;
      expect(await finishedJob(program.address, accepted.id)).toMatchObject({ status: 'succeeded' });
    }
    if (answer === undefined) return;
    if (answer.startsWith('HTTP/1.1')) {
      const names = (text: string): string[] =>
        [...text.matchAll(/^([a-z-]+):/gim)].map(([, name = '']) => name.toLowerCase());
      expect(stdout).toContain(answer.split('\n')[0]);
      expect(names(stdout)).toEqual(expect.arrayContaining(names(answer)));
    } else {
      shaped(JSON.parse(answer.replace(/,\s*…/g, '')), JSON.parse(stdout), 'answer');
    }
  });

  it('names only files that are there', async () => {
    const links = [...readme.matchAll(/\]\((?!http)([^)#]+)/g)].map(([, path = '']) => path);
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) await readFile(resolve(import.meta.dirname, '..', link));
  });
});
