// The doctor: what it finds on this machine, and what it says of machines that lack something.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ffmpeg, guards } from '../../scripts/doctor/ffmpeg.ts';
import { line, missing, ok } from '../../scripts/doctor/finding.ts';
import { compareVersions, node, packages, sharp } from '../../scripts/doctor/packages.ts';
import { dataFolder, port } from '../../scripts/doctor/place.ts';
import { settings } from '../../scripts/doctor/settings.ts';
import { BARE_ENV } from '../support/bare-env.ts';

const root = resolve(import.meta.dirname, '../..');
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-doctor-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('one line says what, and what cures it', () => {
  expect(line(ok('node', 'v26.10.0'))).toBe('✓ node      v26.10.0');
  expect(line(missing('ffmpeg', 'is not there', './scripts/setup'))).toBe(
    '✗ ffmpeg    is not there → ./scripts/setup',
  );
});

describe('the whole', () => {
  async function run(env: Record<string, string>, ...args: string[]) {
    const options = { env: { ...BARE_ENV, DATA_DIR: folder, PORT: '0', ...env } };
    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [join(root, 'scripts/doctor.ts'), ...args],
        options,
      );
      return { code: 0, stdout };
    } catch (error) {
      const { code, stdout } = error as { code: number; stdout: string };
      return { code, stdout };
    }
  }

  test('this machine is well, or the tests could not run on it', async () => {
    const { code, stdout } = await run({}, '--json');
    const report = JSON.parse(stdout) as { ok: boolean; findings: { name: string; state: string }[] };
    expect(report.findings.filter(({ state }) => state === 'missing')).toEqual([]);
    expect(report.ok).toBe(true);
    expect(code).toBe(0);
    expect(new Set(report.findings.map(({ name }) => name))).toEqual(
      new Set([
        'node',
        'packages',
        'sharp',
        'ffmpeg',
        'ffprobe',
        'codecs',
        'hardware',
        'guards',
        'data',
        'room',
        'disk',
        'port',
        'settings',
      ]),
    );
  });

  test('what is missing is told all at once, with exit code 1', async () => {
    const { code, stdout } = await run({
      FFMPEG_PATH: '/opt/none/ffmpeg',
      PORT: '99999',
      JOB_ATTEMPTS: 'many',
    });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ settings  PORT: .* → correct or unset PORT$/m);
    expect(stdout).toMatch(/^✗ settings  JOB_ATTEMPTS: /m);
    expect(stdout).toMatch(/^✗ ffmpeg    FFmpeg cannot be run: .* → \.\/scripts\/setup$/m);
    expect(stdout).toMatch(/^! place /m);
  });
});

test('versions are compared as numbers, as far as the second goes', () => {
  expect(compareVersions('26.10.0', '24.15')).toBeGreaterThan(0);
  expect(compareVersions('24.9.0', '24.15')).toBeLessThan(0);
  expect(compareVersions('24.15.3', '24.15')).toBe(0);
  expect(compareVersions('5', '5.1')).toBeLessThan(0);
  expect(node('v24.14.0', '>=24.15').state).toBe('missing');
  expect(node('v24.15.0', '>=24.15').state).toBe('ok');
});

describe('packages', () => {
  const lock = {
    '': {},
    'node_modules/zod': { version: '4.6.7' },
    'node_modules/@img/sharp-darwin-arm64': { version: '0.35.5', optional: true },
    'node_modules/vitest': { version: '5.1.1', dev: true },
    'node_modules/our-runtime': { resolved: 'scripts/runtime', link: true },
    'scripts/runtime': { version: '1.0.0', dev: true },
  };

  async function install(installed: object): Promise<void> {
    await mkdir(join(folder, 'node_modules'), { recursive: true });
    await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ packages: lock }));
    await writeFile(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
  }

  test('those of another platform may be absent, and those for development', async () => {
    await install({ 'node_modules/zod': { version: '4.6.7' } });
    const { state, text } = await packages(folder);
    expect(state).toBe('ok');
    expect(text).toMatch(/^1 .*without those for development$/);
  });

  test.each([
    ['absent', { 'node_modules/vitest': { version: '5.1.1' } }, 'zod'],
    [
      'of another version',
      { 'node_modules/zod': { version: '4.6.6' }, 'node_modules/vitest': { version: '5.0.0' } },
      'zod, vitest',
    ],
  ])('what is %s is named', async (_name, installed, names) => {
    await install(installed);
    expect(await packages(folder)).toMatchObject({
      state: 'missing',
      text: expect.stringMatching(new RegExp(`: ${names}$`)),
    });
  });

  test('nothing installed is not a crash', async () => {
    expect((await packages(folder)).state).toBe('missing');
    await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ packages: lock }));
    expect(await packages(folder)).toMatchObject({
      state: 'missing',
      text: 'not installed',
      cure: './scripts/setup',
    });
  });

  test('sharp works here', async () => {
    expect(await sharp()).toMatchObject({ state: 'ok', text: expect.stringContaining('avif') });
  });
});

describe('ffmpeg', () => {
  async function stub(banner: string, encoders: string[]): Promise<string> {
    const path = join(folder, 'ffmpeg');
    const rows = encoders.map((name) => ` V....D ${name.padEnd(20)} ${name} (codec x)`).join('\n');
    await writeFile(
      path,
      `#!/bin/sh\ncase "$*" in\n*-version*) echo '${banner}' ;;\n*-encoders*) echo '${rows}' ;;\n*) echo ' .S. tonemap           V->V       x' ;;\nesac\n`,
      { mode: 0o755 },
    );
    return path;
  }

  test('each part that is lacking says what does not work without', async () => {
    const path = await stub('ffmpeg version n7.1 Copyright', ['aac', 'png', 'libx264rgb']);
    const findings = await ffmpeg({ ffmpeg: path, ffprobe: path });
    const told = findings.map(({ state, text }) => `${state} ${text}`);
    expect(told.slice(0, 3)).toEqual([`ok 7.1 (${path})`, `ok 7.1 (${path})`, 'ok FFmpeg has aac, png']);
    expect(told).toContain('missing FFmpeg lacks the encoder libx264: no MP4 can be encoded');
    expect(told).toContain('warning FFmpeg lacks the encoder libvpx-vp9: no WebM can be encoded');
    expect(told).toContain('warning FFmpeg lacks the filter zscale: HDR sources come out pale');
    expect(told[3]).toBe('ok no hardware here encodes video: software does it (nothing is wrong with that)');
    expect(findings.slice(4).every(({ cure }) => cure?.includes('FFMPEG_PATH'))).toBe(true);
  });

  test('an old one is told', async () => {
    const path = await stub('ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright', []);
    const told = (await ffmpeg({ ffmpeg: path, ffprobe: path })).map(({ text }) => text);
    expect(told).toContainEqual(expect.stringContaining('FFmpeg 4.4.2 is older than 5.1'));
  });

  test.runIf(process.platform === 'linux')('the guards work here', async () => {
    expect((await guards('linux')).state).toBe('ok');
  });

  test('the guards are only expected of Linux', async () => {
    expect((await guards('darwin')).state).toBe('warning');
  });
});

describe('the place', () => {
  test('a folder that is there is written into, and left as it was', async () => {
    const findings = await dataFolder(folder);
    expect(findings.map(({ name }) => name)).toEqual(['data', 'room', 'disk']);
    expect(findings[0]).toEqual(ok('data', `${folder} can be written`));
  });

  test('a folder that is not there is not made', async () => {
    const path = join(folder, 'a/b');
    expect((await dataFolder(path))[0]).toEqual(ok('data', `${path} will be made at the first start`));
    await expect(readFile(join(folder, 'a'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a file in its place is told', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    expect(await dataFolder(path)).toMatchObject([
      { state: 'missing', text: expect.stringContaining('ENOTDIR') },
    ]);
    expect(await dataFolder(join(path, 'data'))).toMatchObject([{ state: 'missing' }]);
  });

  async function serve(answers: Record<string, object>): Promise<{ number: number } & AsyncDisposable> {
    const server = createServer((request, response) => {
      const answer = answers[request.url ?? ''];
      response
        .writeHead(answer === undefined ? 404 : 200, { connection: 'close' })
        .end(JSON.stringify(answer ?? {}));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      number: (server.address() as AddressInfo).port,
      [Symbol.asyncDispose]: async () => {
        server.close();
        await once(server, 'close');
      },
    };
  }

  test('a port that another program has is told, and what to do', async () => {
    await using other = await serve({});
    const finding = await port('127.0.0.1', other.number);
    expect(finding).toMatchObject({ name: 'port', state: 'missing' });
    expect(finding.cure).toContain(`PORT=${other.number + 1}`);
  });

  test('a running Mediamill is recognised, with what it says of itself', async () => {
    const checks = { queue: { ok: true }, ffmpeg: { ok: false, detail: 'is missing' } };
    await using own = await serve({ '/livez': { status: 'ok' }, '/readyz': { status: 'not_ready', checks } });
    expect(await port('127.0.0.1', own.number)).toEqual(
      ok(
        'port',
        `127.0.0.1:${own.number} is taken by a running Mediamill, which is not ready: ffmpeg is missing`,
      ),
    );
  });

  test('the admin port is told apart, free, taken and in use by a Mediamill', async () => {
    await using other = await serve({});
    expect(await port('127.0.0.1', other.number, 'ADMIN_')).toMatchObject({
      ...{ name: 'admin', state: 'missing' },
      cure: expect.stringContaining(`ADMIN_PORT=${other.number + 1}`),
    });
    await using own = await serve({
      '/livez': { status: 'ok' },
      '/readyz': { status: 'ready', serving: 1, ready: 1, of: 1 },
    });
    expect(await port('127.0.0.1', own.number, 'ADMIN_')).toEqual(
      ok('admin', `127.0.0.1:${own.number} is taken by a running Mediamill, which is ready`),
    );
    await using lacking = await serve({
      '/livez': { status: 'ok' },
      '/readyz': {
        ...{ status: 'not_ready', serving: 1, ready: 0, of: 1 },
        checks: { store: { ok: false, detail: 'is away' } },
      },
    });
    expect((await port('127.0.0.1', lacking.number, 'ADMIN_')).text).toMatch(/not ready: store is away$/);
    expect(await port('192.0.2.1', 3000, 'ADMIN_')).toMatchObject({ cure: 'correct ADMIN_HOST' });
  });

  test('a free port, any port, and an address that is not of this machine', async () => {
    const { number, ...server } = await serve({});
    await server[Symbol.asyncDispose]();
    expect((await port('127.0.0.1', number)).state).toBe('ok');
    expect((await port('127.0.0.1', 0)).text).toBe('any free one');
    // TEST-NET-1 (RFC 5737): nobody has it.
    expect(await port('192.0.2.1', 3000)).toMatchObject({ state: 'missing', cure: 'correct HOST' });
  });
});

test('settings that are set are named, defaults are not', async () => {
  const { findings, config } = await settings({ PORT: '8080', HOST: '' });
  expect(findings).toEqual([ok('settings', 'valid; set: PORT')]);
  expect(config?.PORT).toBe(8080);
});
