// What the command line refuses, how it ends, and what it shows meanwhile. Within the test's process, since starting one takes longer.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArguments, asRecipeFields } from '../../src/cli/arguments.ts';
import { filesInPlaylist } from '../../src/cli/finish-job.ts';
import { progressLine } from '../../src/cli/progress-line.ts';
import { runCli } from '../../src/cli/run.ts';
import { clipFixture, imageFixture } from '../support/fixtures.ts';
import { makeKey } from '../support/keys.ts';
import { startTestServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
let folder: string;
const home = process.cwd();

beforeAll(async () => {
  server = await startTestServer();
  folder = await mkdtemp(join(tmpdir(), 'mediamill-cli-'));
  await writeFile(join(folder, 'photo.jpg'), await imageFixture({ width: 1200, height: 800 }));
  await copyFile(
    await clipFixture({ seconds: 1, width: 320, height: 180, fps: 10 }),
    join(folder, 'clip.mp4'),
  );
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(home);
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A stream that keeps what is written to it. */
function kept(): Writable & { text: string } {
  const stream = Object.assign(new Writable(), { text: '' });
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name for it.
  stream._write = (chunk: Buffer, _encoding, done) => {
    stream.text += chunk.toString();
    done();
  };
  return stream;
}

async function run(args: string, { isTTY = false }: { readonly isTTY?: boolean } = {}) {
  const stdout = kept();
  const stderr = Object.assign(kept(), { isTTY, columns: 80 });
  const code = await runCli(args.split(' ').filter(Boolean), {
    stdout,
    stderr,
    env: { MEDIAMILL_URL: server.url },
    signal: new AbortController().signal,
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

describe('mistakes', () => {
  it.each([
    ['', 2, 'Commands'],
    ['fly photo.jpg', 2, 'There is no command "fly"'],
    ['resize', 2, 'Which image?'],
    ['resize nope.jpg', 2, 'There is no file nope.jpg'],
    ['resize .', 2, '. is not a file'],
    ['resize photo.jpg photo.jpg --width 1 -o x.jpg', 2, 'Several images need a folder'],
    ['resize photo.jpg --width 1 --width 2', 2, '--width is given twice'],
    ['resize photo.jpg --width 1 -o photo.jpg/x.jpg', 2, 'cannot be written'],
    ['convert photo.jpg', 2, 'Say which format'],
    ['resize photo.jpg --json -o -', 2, 'both want standard output'],
    ['resize photo.jpg --key ä', 2, 'The key is not one'],
    ['resize photo.jpg --server gopher://x', 2, 'is not the address of a server'],
    ['set photo.jpg', 2, 'Say which widths'],
    ['job nope.json clip.mp4', 2, 'The recipe cannot be read'],
    ['job photo.jpg clip.mp4', 2, 'is not valid JSON'],
    ['job photo.jpg clip.mp4', 2, 'mediamill job RECIPE.json SOURCE'],
    ['job photo.jpg --recipe recipe.json', 2, 'mediamill job RECIPE.json SOURCE'],
    ['job recipe.json', 2, 'Give a recipe and a source'],
    ['cancel', 2, 'Which job?'],
    ['jobs --limit 0', 2, '--limit takes a whole number'],
    ['rezise photo.jpg', 2, 'Did you mean resize?'],
    ['resize photo.jpg --width', 3, '--width'],
    ['jobs nope', 2, 'jobs does not take nope'],
    ['watch one two', 2, 'watch does not take two'],
    ['jobs --stauts failed', 2, 'Did you mean --status?'],
    ['watch one --quite', 2, 'There is no --quite'],
    ['resize photo.jpg --width 1 -o x.bogus', 2, 'x.bogus ends in no format'],
    ['transcode clip.mp4 -o x.bogus', 2, 'x.bogus ends in no format'],
    ['resize photo.jpg --width 1 -o ./photo.jpg', 2, 'is the source itself'],
    ['transcode clip.mp4 -o clip.mp4', 2, 'is the source itself'],
    ['job nope.json clip.mp4', 2, 'mediamill job --help'],
    ['resize photo.jpg --width 0', 3, 'mediamill: --width: must be at least 1.'],
    ['resize photo.jpg --widht 10', 3, 'There is no --widht. Did you mean --width?'],
    ['resize photo.jpg --xyzzyx 10', 3, 'There is no --xyzzyx. mediamill resize --help'],
    ['set photo.jpg --widths 10 --foramts webp', 3, 'Did you mean --formats?'],
    ['info photo.jpg --feilds size', 3, 'Did you mean --fields?'],
    ['transcode clip.mp4 --hieght 90', 3, 'There is no --hieght. Did you mean --height?'],
    ['transcode clip.mp4 --height 1', 3, '--height: '],
    ['watch nope', 3, 'There is no job'],
    ['presets --server http://127.0.0.1:1024', 4, 'cannot be reached'],
  ])('mediamill %s ends with %i', async (args, code, words) => {
    const ended = await run(args);
    expect(`${ended.stderr}${ended.stdout}`).toContain(words);
    expect(ended.code).toBe(code);
    expect((await readdir(folder)).toSorted()).toEqual(['clip.mp4', 'photo.jpg']);
  });

  it('are one JSON document too', async () => {
    const refused = await run('resize photo.jpg --width 0 --json');
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: { code: 'invalid_request', errors: [{ field: 'width' }] },
    });
    expect(JSON.parse((await run('resize nope.jpg --json')).stdout)).toMatchObject({
      error: { code: 'usage' },
    });
  });

  it('name the ways to give a key', async () => {
    await using guarded = await startTestServer();
    const { text } = await makeKey(guarded.config.DATA_DIR);
    const refused = await run(`presets --server ${guarded.url}`);
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toContain('MEDIAMILL_KEY, or by --key');
    expect(refused.stderr).not.toContain('Bearer');
    const wrong = await run(`presets --server ${guarded.url} --key mm_wrong`);
    expect(wrong.stderr).toContain('does not take the key after --key');
    expect((await run(`presets --server ${guarded.url} --key ${text}`)).code).toBe(0);
  });

  it('are none of who asks for the version, or what a video is', async () => {
    expect(await run('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    });
    const probed = await run('probe clip.mp4');
    expect(probed).toMatchObject({ code: 0, stderr: '' });
    expect(probed.stdout).toMatch(/^durationSeconds: /m);
    expect(JSON.parse((await run('probe clip.mp4 --json')).stdout)).toHaveProperty('durationSeconds');
    expect((await readdir(folder)).toSorted()).toEqual(['clip.mp4', 'photo.jpg']);
  });

  it('are few for those who ask for help', async () => {
    expect(await run('--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('mediamill resize photo.jpg') as string,
    });
    expect(await run('transcode --help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--codec av1') as string,
    });
    expect(await run('help hls')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--heights') as string,
    });
  });
});

describe('progress', () => {
  it('is drawn where a person looks on, and taken away again', async () => {
    const seen = await run('thumbnail clip.mp4 -o still.jpg', { isTTY: true });
    expect(seen).toMatchObject({ code: 0, stdout: expect.stringMatching(/^still\.jpg/) as string });
    expect(seen.stderr).toContain('Sending clip.mp4');
    expect(seen.stderr.endsWith('\r\u001B[2K')).toBe(true);
    expect((await run('thumbnail clip.mp4 -o still.jpg -q', { isTTY: true })).stderr).toBe('');
    expect((await run('thumbnail clip.mp4 -o still.jpg')).stderr).toBe('');
    await rm('still.jpg');
  });

  it('fits the terminal', () => {
    const line = { label: 'Processing', fraction: 0.5, speed: '2.4×', etaSeconds: 3725 };
    expect(progressLine(line, 80)).toBe('Processing  [████████████░░░░░░░░░░░░]  50 %  2.4×  ETA 1:02:05');
    expect(progressLine(line, 20)).toHaveLength(19);
  });
});

describe('Ctrl-C', () => {
  it('cancels a job also while the answer that names it is on its way', async () => {
    const interrupted = new AbortController();
    const asked: string[] = [];
    const slow = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      request.resume().once('end', () => {
        if (request.url === '/v1/jobs') interrupted.abort(new Error('SIGINT'));
        response.writeHead(202, { 'content-type': 'application/json' }).end('{"id":"one"}');
      });
    }).listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const { port } = slow.address() as AddressInfo;
    const [stdout, stderr] = [kept(), kept()];
    const code = await runCli(['transcode', 'clip.mp4', '--server', `127.0.0.1:${port}`], {
      stdout,
      stderr,
      env: {},
      signal: interrupted.signal,
    });
    slow.close();
    slow.closeAllConnections();
    await once(slow, 'close');
    expect({ code, stderr: stderr.text, asked }).toEqual({
      code: 130,
      stderr: 'The job one is cancelled.\n',
      asked: ['POST /v1/jobs', 'POST /v1/jobs/one/cancel'],
    });
  });
});

describe('the command line', () => {
  it('gives parameters to the server as they are written', () => {
    const read = (args: string) => Object.fromEntries(readArguments(args.split(' ')).params);
    expect(read('resize a.jpg --width 800 --fit=cover --rotate -90 --grayscale')).toEqual({
      width: '800',
      fit: 'cover',
      rotate: '-90',
      grayscale: 'true',
    });
    expect(readArguments(['resize', '--flip', '-o', '-', '--', '--odd.jpg'])).toMatchObject({
      words: ['resize', '--odd.jpg'],
      output: '-',
    });
  });

  it('makes of them what a recipe has', () => {
    const params = new Map([
      ['height', '720'],
      ['mute', 'true'],
      ['heights', '480'],
      ['at', '10%,50%'],
      ['watermark', '{"source":"upload:x"}'],
      ['codec', 'av1'],
    ]);
    expect(asRecipeFields(params)).toEqual({
      height: 720,
      mute: true,
      heights: [480],
      at: ['10%', '50%'],
      watermark: { source: 'upload:x' },
      codec: 'av1',
    });
  });

  it('fetches of a playlist what lies beside it, and nothing else', () => {
    const text =
      '#EXTM3U\n#EXT-X-MAP:URI="720.init.mp4"\n720.0001.m4s\n../secret\nhttps://x.example/a.m4s\n/abs\n\n720.0001.m4s\n';
    expect(filesInPlaylist(text)).toEqual(['720.init.mp4', '720.0001.m4s']);
  });
});
