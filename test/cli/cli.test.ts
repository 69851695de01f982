// The command line against the real program with two processes: what it makes, what it prints, and how it ends.

import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/client/mediamill.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { finishedJob } from '../support/jobs.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { runCli } from './run-cli.ts';
import type { CliOptions, CliRun } from './run-cli.ts';

const run = promisify(execFile);

let program: Program;
let root: string;
let cwd: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mediamill-cli-'));
  const presets = { web: { outputs: { small: { type: 'image', steps: [{ op: 'resize', width: 64 }] } } } };
  await writeFile(join(root, 'presets.json'), JSON.stringify(presets));
  program = await startProgram({ PRESETS_FILE: join(root, 'presets.json') });
});
afterAll(async () => {
  await program[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  cwd = join(root, String(count++));
  await mkdir(cwd);
  await writeFile(join(cwd, 'photo.jpg'), await imageFixture({ width: 1200, height: 800 }));
  await copyFile(await clipFixture({ seconds: 1, width: 320, height: 180, fps: 10 }), join(cwd, 'clip.mp4'));
});

const cli = (args: string, options: Partial<CliOptions> = {}): Promise<CliRun> =>
  runCli(args.split(' '), { cwd, server: program.address, ...options });

describe('images', () => {
  it('are made smaller beside the source, and told of', async () => {
    const { code, stdout, stderr } = await cli('resize photo.jpg --width 300');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toMatch(/^photo-300x200\.jpg {2}300×200 {2}image\/jpeg/);
    expect(await sharp(await readFile(join(cwd, 'photo-300x200.jpg'))).metadata()).toMatchObject({
      width: 300,
      format: 'jpeg',
    });
    expect((await readdir(cwd)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('take their format from the name, and are one JSON document', async () => {
    const run = await cli('convert photo.jpg -o out/photo.webp --quality 50 --json');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.json()).toMatchObject({
      file: 'out/photo.webp',
      mediaType: 'image/webp',
      width: 1200,
      height: 800,
    });
    expect((await sharp(await readFile(join(cwd, 'out/photo.webp'))).metadata()).format).toBe('webp');
  });

  it('come from standard input and go to standard output', async () => {
    const stdin = await readFile(join(cwd, 'photo.jpg'));
    const { code, stdout } = await cli('resize - --width=40 --grayscale -o -', { stdin });
    expect(code).toBe(0);
    expect(await sharp(stdout).metadata()).toMatchObject({ width: 40 });
  });

  it('go many at once into a folder', async () => {
    await copyFile(join(cwd, 'photo.jpg'), join(cwd, 'other.jpg'));
    const run = await cli('resize photo.jpg other.jpg --width 50 -o small/ --json');
    expect(run.code).toBe(0);
    expect((run.json() as { source: string }[]).map(({ source }) => source)).toEqual([
      'photo.jpg',
      'other.jpg',
    ]);
    expect((await readdir(join(cwd, 'small'))).toSorted()).toEqual(['other-50x33.jpg', 'photo-50x33.jpg']);
  });

  it('are looked at, and come in sets', async () => {
    expect((await cli('info photo.jpg --fields size --json')).json()).toEqual({ width: 1200, height: 800 });
    const { code, stdout } = await cli('set photo.jpg --widths 100,200 --formats webp -o set');
    expect(code).toBe(0);
    expect(stdout.toString()).toContain('srcset="100.webp 100w, 200.webp 200w"');
    expect((await readdir(join(cwd, 'set'))).toSorted()).toEqual(['100.webp', '200.webp']);
  });
});

describe('jobs', () => {
  it('make a video and save it', async () => {
    const run = await cli('transcode clip.mp4 --height 90 --mute -o small.mp4 --json');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.json()).toMatchObject({
      status: 'succeeded',
      saved: ['small.mp4'],
      source: { name: 'clip.mp4' },
    });
    const { outputs } = run.json() as JobView;
    expect((await stat(join(cwd, 'small.mp4'))).size).toBe(outputs[0]?.bytes);
  });

  it('fetch all of a stream, so that it plays from the folder', async () => {
    const { code, stderr } = await cli('hls clip.mp4 --heights 90 --encode always -o stream');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const files = await readdir(join(cwd, 'stream'));
    const playlists = files.filter((name) => name.endsWith('.m3u8'));
    expect(playlists.length).toBeGreaterThan(1);
    for (const playlist of playlists) {
      const text = await readFile(join(cwd, 'stream', playlist), 'utf8');
      const named = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      expect(files).toEqual(expect.arrayContaining(named));
    }
    expect(files.some((name) => name.endsWith('.m4s'))).toBe(true);
  });

  it('follow a recipe or a preset, are listed, fetched, and removed', async () => {
    const recipe = {
      outputs: {
        a: { type: 'image', steps: [{ op: 'resize', width: 8 }] },
        b: { type: 'image', format: 'png' },
      },
    };
    await writeFile(join(cwd, 'recipe.json'), JSON.stringify(recipe));
    const made = await cli('job recipe.json photo.jpg --priority 2 -o out --json');
    expect(made.json()).toMatchObject({
      status: 'succeeded',
      priority: 2,
      saved: ['out/photo-a.jpg', 'out/photo-b.png'],
    });
    const { id } = made.json() as JobView;

    expect((await cli('jobs --status succeeded --limit 1 --json')).json()).toMatchObject({ jobs: [{ id }] });
    const bytes = await cli(`get ${id} b -o -`);
    expect(bytes.stdout).toEqual(await readFile(join(cwd, 'out/photo-b.png')));
    expect(await cli(`watch ${id}`)).toMatchObject({ code: 0 });
    expect(await cli(`cancel ${id}`)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('already succeeded') as string,
    });
    expect(await cli(`remove ${id}`)).toMatchObject({ code: 0 });
    expect(await cli(`watch ${id}`)).toMatchObject({ code: 3 });

    expect((await cli('presets')).stdout.toString()).toBe('web  small (image)\n');
    const started = await cli('job --preset web photo.jpg --detach');
    const ended = await finishedJob(program.address, started.stdout.toString().trim());
    expect(ended).toMatchObject({ status: 'succeeded', outputs: [{ name: 'small', width: 64 }] });
  });

  it('take what was uploaded before', async () => {
    const uploaded = await cli('upload clip.mp4');
    expect(uploaded.stdout.toString()).toMatch(/^upload:\S+\n$/);
    const source = uploaded.stdout.toString().trim();
    const run = await cli(`thumbnail ${source} --width 100 -o still.webp --json`);
    expect(run.json()).toMatchObject({
      status: 'succeeded',
      outputs: [{ mediaType: 'image/webp', width: 100 }],
    });
  });

  it('that fail say why, with exit code 1', async () => {
    const silent = await clipFixture({ seconds: 1, width: 160, height: 90, fps: 10, sound: false });
    const run = await cli(`audio ${silent} --json`);
    expect(run.code).toBe(1);
    expect(run.json()).toMatchObject({ status: 'failed', problem: { code: 'stream_missing' } });
    expect(run.stderr).toContain('stream_missing');
  });

  it('are cancelled by Ctrl-C', async () => {
    const long = await clipFixture({
      seconds: 20,
      width: 640,
      height: 360,
      codecs: 'old',
      container: 'avi',
      grain: true,
    });
    const controller = new AbortController();
    const running = runCli(['transcode', long, '--effort', 'small'], {
      cwd,
      server: program.address,
      onStart: (kill) => void interruptOnceListed(kill, controller.signal),
    });
    const { code, stderr } = await running.finally(() => controller.abort());
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: expect.stringMatching(/^The job \S+ is cancelled\.\n$/) as string,
    });
    const id = /job (\S+)/.exec(stderr)?.[1] ?? '';
    expect(await finishedJob(program.address, id)).toMatchObject({ status: 'cancelled' });
  });
});

/** The job is known to the server: then its sender is stopped. */
async function interruptOnceListed(
  kill: (signal: NodeJS.Signals) => void,
  signal: AbortSignal,
): Promise<void> {
  const events = await fetch(`${program.address}/v1/events`, { signal });
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; !text.includes('event: started'); ) text += (await reader.read()).value ?? '';
  kill('SIGINT');
  await reader.cancel();
}

describe('scripts/mediamill', () => {
  it('runs from any folder, and by a link', async () => {
    const link = join(cwd, 'mm');
    await symlink(resolve(import.meta.dirname, '../../scripts/mediamill'), link);
    const { stdout } = await run(
      link,
      ['resize', 'photo.jpg', '--width', '30', '--server', program.address],
      {
        cwd,
      },
    );
    expect(stdout).toContain('photo-30x20.jpg');
  });

  it('is found by npm, and takes files from where its user is', async () => {
    const project = resolve(import.meta.dirname, '../..');
    const env = {
      ...process.env,
      INIT_CWD: cwd,
      npm_lifecycle_event: 'mediamill',
      MEDIAMILL_URL: program.address,
    };
    const { stdout } = await run('sh', ['-c', await scriptOf(project)], { cwd: project, env });
    expect(JSON.parse(stdout)).toEqual({ width: 1200, height: 800 });
  });
});

/** What npm would run for `npm run mediamill -- info photo.jpg --fields size --json`. */
async function scriptOf(project: string): Promise<string> {
  const { scripts, bin } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  expect(bin?.['mediamill']).toBe(scripts?.['mediamill']);
  return `${scripts?.['mediamill']} info photo.jpg --fields size --json`;
}
