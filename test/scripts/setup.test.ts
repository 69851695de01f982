// scripts/setup and its two callers, on a machine of stubs: what they install, when, what they say, and what they do twice.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StubMachine } from './stub-machine.ts';

const NPM =
  'npm ci --include=dev --include=optional --ignore-scripts --engine-strict=false --no-audit --no-fund';

function machineWithFfmpeg(): StubMachine {
  const machine = new StubMachine();
  machine.tool('ffmpeg');
  machine.tool('ffprobe');
  return machine;
}

test('a fresh clone gets its packages, once', () => {
  using machine = machineWithFfmpeg();
  const first = machine.run('scripts/setup');
  expect(first).toMatchObject({ code: 0, stdout: `${machine.folder}/node_modules/.bin/node\n` });
  expect(first.stderr).toMatch(/^Installing the packages .*npm ci.*\n$/);
  expect(machine.calls()).toEqual([NPM]);

  const second = machine.run('scripts/setup');
  expect(second).toMatchObject({ code: 0, stdout: first.stdout, stderr: '' });
  expect(machine.calls()).toEqual([]);
});

test('a new lockfile, a lost Node and another platform each install again', () => {
  using machine = machineWithFfmpeg();
  machine.run('scripts/setup');
  machine.calls();
  const changes = [
    () => machine.write('package-lock.json', '{"packages":{}}'),
    () => machine.write('node_modules/.bin/node', 'not a program'),
    () => machine.tool('uname', 'case $1 in -s) echo Linux ;; *) echo Linux aarch64 ;; esac'),
  ];
  for (const change of changes) {
    change();
    expect(machine.run('scripts/setup').code).toBe(0);
    expect(machine.calls()).toEqual([NPM]);
    machine.run('scripts/setup');
    expect(machine.calls()).toEqual([]);
  }
});

test('when npm fails, all it said is shown, and the next run tries again', () => {
  using machine = machineWithFfmpeg();
  machine.tool('npm', 'echo "npm error ECONNRESET"; echo "npm error log" >&2; exit 1');
  const failed = machine.run('scripts/setup');
  expect(failed).toMatchObject({ code: 1, stdout: '' });
  expect(failed.stderr).toContain('npm error ECONNRESET\nnpm error log\n');
  machine.npm();
  expect(machine.run('scripts/setup').code).toBe(0);
});

test.each([
  ['no Node', (machine: StubMachine) => machine.without('node'), 'There is no Node on this machine.'],
  [
    'an old Node',
    (machine: StubMachine) => machine.tool('node', 'echo v18.20.4'),
    'Node v18.20.4 is too old',
  ],
  [
    'no npm',
    (machine: StubMachine) => machine.without('npm'),
    'There is Node v20.0.0 on this machine, but no npm.',
  ],
])('with %s it says what to do and installs nothing', (_name, change, message) => {
  using machine = machineWithFfmpeg();
  change(machine);
  const { code, stderr } = machine.run('scripts/setup');
  expect(code).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr).toContain('https://nodejs.org/en/download');
  expect(machine.calls()).toEqual([]);
});

test('with the packages installed, the machine needs no Node of its own', () => {
  using machine = machineWithFfmpeg();
  machine.run('scripts/setup');
  machine.without('node', 'npm');
  expect(machine.run('scripts/setup')).toMatchObject({ code: 0, stderr: '' });
});

test('the pinned Node is found though npm 10 leaves no link to it', () => {
  using machine = machineWithFfmpeg();
  machine.npm('echo v26.10.0', false);
  expect(machine.run('scripts/setup')).toMatchObject({
    code: 0,
    stdout: `${machine.folder}/node_modules/.bin/node\n`,
  });
});

test('where the pinned Node cannot run, a recent one of the machine is used, and is not hidden by it', () => {
  using machine = machineWithFfmpeg();
  machine.npm('exit 127');
  machine.tool('node', 'echo v24.15.0');
  expect(machine.run('scripts/setup')).toMatchObject({ code: 0, stdout: `${machine.bin}/node\n` });
  expect(existsSync(join(machine.folder, 'node_modules/.bin/node'))).toBe(false);
  machine.calls();
  machine.run('scripts/setup');
  expect(machine.calls()).toEqual([]);

  machine.tool('node', 'echo v24.14.9');
  const { code, stderr } = machine.run('scripts/setup');
  expect(code).toBe(1);
  expect(stderr).toContain('Mediamill runs on Node 24.15 or later');
});

test('`setup node` installs nothing', () => {
  using machine = machineWithFfmpeg();
  const { code, stderr } = machine.run('scripts/setup node');
  expect(code).toBe(1);
  expect(stderr).toContain('./scripts/setup');
  expect(machine.calls()).toEqual([]);
});

const APT = 'apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends';

test.each([
  ['apt-get', ['apt-get update', `${APT} ffmpeg`]],
  ['apk', ['apk add --no-cache ffmpeg']],
  ['dnf', ['dnf install -y ffmpeg']],
])('root gets FFmpeg by %s, and is told first', (manager, commands) => {
  using machine = new StubMachine();
  machine.tool('id', 'echo 0');
  machine.packageManager(manager);
  const { code, stderr } = machine.run('scripts/setup');
  expect(code).toBe(0);
  expect(stderr.split('\n').find((line) => line.startsWith('Installing ffmpeg: '))).toContain(
    commands.at(-1),
  );
  expect(machine.calls()).toEqual([NPM, ...commands]);
  expect(machine.run('scripts/setup').stderr).toBe('');
});

test('a user with sudo gets FFmpeg by it', () => {
  using machine = new StubMachine();
  machine.tool('sudo', '[ "$1" != -n ] || exit 0; "$@"');
  machine.packageManager('apt-get');
  expect(machine.run('scripts/setup').code).toBe(0);
  expect(machine.calls()).toEqual([
    NPM,
    'sudo apt-get update',
    'apt-get update',
    `sudo env DEBIAN_FRONTEND=noninteractive ${APT} ffmpeg`,
    `${APT} ffmpeg`,
  ]);
});

test('on macOS FFmpeg comes from Homebrew, though apt-get may be there too', () => {
  using machine = new StubMachine();
  machine.tool('uname', 'echo Darwin');
  machine.packageManager('brew');
  machine.packageManager('apt-get');
  expect(machine.run('scripts/setup').code).toBe(0);
  expect(machine.calls()).toEqual([NPM, 'brew install ffmpeg']);
});

test.each([
  [
    'cannot become root',
    (machine: StubMachine) => machine.tool('sudo', 'exit 1'),
    `sudo env DEBIAN_FRONTEND=noninteractive ${APT} ffmpeg`,
  ],
  ['has no sudo', () => {}, `${APT} ffmpeg`],
])('a user who %s is told the command; images go on, tests do not', (_name, change, command) => {
  using machine = new StubMachine();
  machine.packageManager('apt-get');
  change(machine);
  const toRun = machine.run('scripts/setup');
  expect(toRun).toMatchObject({ code: 0, stdout: `${machine.folder}/node_modules/.bin/node\n` });
  expect(toRun.stderr).toContain(command);
  expect(toRun.stderr).toContain('Going on without FFmpeg');
  const toTest = machine.run('scripts/setup test');
  expect(toTest).toMatchObject({ code: 1, stdout: '' });
  expect(toTest.stderr).toContain(command);
  expect(machine.calls()).toEqual([NPM]);
});

test('without a package manager it says where FFmpeg is to be had', () => {
  using machine = new StubMachine();
  const { code, stderr } = machine.run('scripts/setup test');
  expect(code).toBe(1);
  expect(stderr).toContain('none of apt-get, apk, dnf and brew');
  expect(stderr).toContain('https://ffmpeg.org/download.html');
});

test('when the package manager fails, its output is shown', () => {
  using machine = new StubMachine();
  machine.tool('id', 'echo 0');
  machine.tool('apt-get', 'echo "E: Unable to locate package ffmpeg"; exit 100');
  const { code, stderr } = machine.run('scripts/setup test');
  expect(code).toBe(1);
  expect(stderr).toContain('E: Unable to locate package ffmpeg');
});

test('an FFMPEG_PATH that leads nowhere is said, and nothing is installed for it', () => {
  using machine = new StubMachine();
  machine.tool('id', 'echo 0');
  machine.packageManager('apt-get');
  const { stderr } = machine.run('scripts/setup', { FFMPEG_PATH: '/opt/none/ffmpeg' });
  expect(stderr).toContain('FFMPEG_PATH=/opt/none/ffmpeg');
  expect(machine.calls()).toEqual([NPM]);
});

test('for tests exiftool is installed where that may be, and tried only once', () => {
  using machine = machineWithFfmpeg();
  machine.tool('redis-server');
  machine.tool('chromium');
  machine.tool('id', 'echo 0');
  machine.tool('apt-get', 'exit 100');
  expect(machine.run('scripts/setup').code).toBe(0);
  expect(machine.calls()).toEqual([NPM]);
  const first = machine.run('scripts/setup test');
  expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('will be skipped') });
  expect(machine.calls()).toEqual(['apt-get update', `${APT} libimage-exiftool-perl`]);
  expect(machine.run('scripts/setup test')).toMatchObject({ code: 0, stderr: '' });
  expect(machine.calls()).toEqual([]);
});

function machineForTests(): StubMachine {
  const machine = machineWithFfmpeg();
  machine.tool('redis-server');
  machine.tool('exiftool');
  return machine;
}

function machineWithoutRedis(): StubMachine {
  const machine = machineForTests();
  machine.tool('chromium');
  machine.without('redis-server');
  return machine;
}

test.each([
  ['apt-get', ['apt-get update', `${APT} redis-server`]],
  ['apk', ['apk add --no-cache redis']],
  ['dnf', ['dnf install -y redis']],
])('for tests Redis is installed by %s, to run the server is not', (manager, commands) => {
  using machine = machineWithoutRedis();
  machine.tool('id', 'echo 0');
  machine.tool('service');
  machine.tool('systemctl');
  machine.packageManager(manager);
  expect(machine.run('scripts/setup').code).toBe(0);
  expect(machine.calls()).toEqual([NPM]);
  const { code, stderr } = machine.run('scripts/setup test');
  expect(code).toBe(0);
  expect(stderr).toContain('Installing redis-server: ');
  const calls = machine.calls();
  expect(calls.slice(0, commands.length)).toEqual(commands);
  // Debian's package alone starts a service by itself; which command stops it depends on the machine of the test.
  const stops = ['service redis-server stop', 'systemctl disable --now redis-server'];
  expect(calls.slice(commands.length)).toEqual(
    manager === 'apt-get' ? [expect.toBeOneOf(stops) as string] : [],
  );
  expect(machine.run('scripts/setup test')).toMatchObject({ code: 0, stderr: '' });
  expect(machine.calls()).toEqual([]);
});

test('a service of Redis that cannot be stopped stands in nobody’s way', () => {
  using machine = machineWithoutRedis();
  machine.tool('id', 'echo 0');
  machine.tool('service', 'exit 1');
  machine.tool('systemctl', 'exit 1');
  machine.packageManager('apt-get');
  const { code, stderr } = machine.run('scripts/setup test');
  expect(code).toBe(0);
  expect(stderr).toContain('It could not be stopped');
});

test.each([
  [
    'with no right to install',
    (machine: StubMachine) => machine.packageManager('apt-get'),
    `  apt-get update; env DEBIAN_FRONTEND=noninteractive ${APT} redis-server\n`,
  ],
  ['without a package manager', () => {}, 'https://redis.io/downloads/'],
  [
    'where the package manager fails',
    (machine: StubMachine) => {
      machine.tool('id', 'echo 0');
      machine.tool('apt-get', 'exit 100');
    },
    'redis-server could not be installed',
  ],
  [
    'on macOS as root',
    (machine: StubMachine) => {
      machine.tool('uname', 'echo Darwin');
      machine.tool('id', 'echo 0');
      machine.packageManager('brew');
    },
    '  brew install redis\n',
  ],
])('%s it says how to have Redis, and the tests do not begin', (_name, change, advice) => {
  using machine = machineWithoutRedis();
  change(machine);
  const { code, stdout, stderr } = machine.run('scripts/setup test');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(advice);
});

test('a REDIS_SERVER_PATH is enough if it leads to a program, and otherwise nothing is installed for it', () => {
  using machine = machineWithoutRedis();
  machine.tool('id', 'echo 0');
  machine.packageManager('apt-get');
  machine.tool('valkey-server');
  machine.run('scripts/setup');
  machine.calls();
  const good = machine.run('scripts/setup test', { REDIS_SERVER_PATH: `${machine.bin}/valkey-server` });
  expect(good).toMatchObject({ code: 0, stderr: '' });
  const bad = machine.run('scripts/setup test', { REDIS_SERVER_PATH: '/opt/none/redis' });
  expect(bad).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('REDIS_SERVER_PATH=/opt/none/redis does not lead to a program'),
  });
  expect(machine.calls()).toEqual([]);
});

test.each([
  ['apt-get', ['apt-get update', `${APT} chromium`]],
  ['apk', ['apk add --no-cache chromium']],
  ['dnf', ['dnf install -y chromium']],
])('for tests Chromium is installed by %s, under whatever name it comes', (manager, commands) => {
  using machine = machineForTests();
  machine.tool('id', 'echo 0');
  machine.packageManager(manager);
  expect(machine.run('scripts/setup').code).toBe(0);
  expect(machine.calls()).toEqual([NPM]);
  const { code, stderr } = machine.run('scripts/setup test');
  expect(code).toBe(0);
  expect(stderr).toMatch(/^Installing chromium: .* chromium\n$/);
  expect(machine.calls()).toEqual(commands);
  expect(machine.run('scripts/setup test')).toMatchObject({ code: 0, stderr: '' });
  expect(machine.calls()).toEqual([]);
});

test.each(['chromium', 'chromium-browser', 'google-chrome'])('%s is browser enough', (name) => {
  using machine = machineForTests();
  machine.tool('id', 'echo 0');
  machine.packageManager('apt-get');
  machine.tool(name);
  machine.run('scripts/setup test');
  expect(machine.calls()).toEqual([NPM]);
});

test('where Chromium cannot be had that is said once, but in CI each time, and tried again', () => {
  using machine = machineForTests();
  machine.tool('id', 'echo 0');
  machine.tool('apt-get', 'echo "E: no chromium"; exit 100');
  machine.run('scripts/setup');
  machine.calls();
  const tries = ['apt-get update', `${APT} chromium`];

  const first = machine.run('scripts/setup test');
  expect(first).toMatchObject({ code: 0, stdout: `${machine.folder}/node_modules/.bin/node\n` });
  expect(first.stderr).toContain('E: no chromium');
  expect(first.stderr).toContain('the browser tests will be skipped');
  expect(machine.calls()).toEqual(tries);
  expect(machine.run('scripts/setup test')).toMatchObject({ code: 0, stderr: '' });
  expect(machine.calls()).toEqual([]);

  for (const time of ['first', 'second']) {
    const inCi = machine.run('scripts/setup test', { CI: 'true' });
    expect(inCi, time).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('will fail, since CI=true'),
    });
    expect(machine.calls(), time).toEqual(tries);
  }
});

test.each([
  [
    'with no right to install',
    (machine: StubMachine) => machine.packageManager('apt-get'),
    `  apt-get update; env DEBIAN_FRONTEND=noninteractive ${APT} chromium\n`,
  ],
  ['without a package manager', () => {}, '  take it from https://www.google.com/chrome/\n'],
  [
    'on macOS',
    (machine: StubMachine) => {
      machine.tool('uname', 'echo Darwin');
      machine.packageManager('brew');
    },
    `  brew install --cask google-chrome\n  export CHROMIUM_PATH='/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'\n`,
  ],
])('%s it says how to have a Chromium, and installs none', (_name, change, advice) => {
  using machine = machineForTests();
  change(machine);
  machine.run('scripts/setup');
  machine.calls();
  const { code, stderr } = machine.run('scripts/setup test');
  expect(code).toBe(0);
  expect(stderr).toContain('Going on without Chromium: the browser tests will be skipped.');
  expect(stderr.endsWith(advice)).toBe(true);
  expect(machine.calls()).toEqual([]);
});

test('a CHROMIUM_PATH is enough if it leads to a program, and otherwise nothing is installed for it', () => {
  using machine = machineForTests();
  machine.tool('id', 'echo 0');
  machine.packageManager('apt-get');
  machine.tool('My Chrome');
  machine.run('scripts/setup');
  machine.calls();
  const good = machine.run('scripts/setup test', { CHROMIUM_PATH: `${machine.bin}/My Chrome` });
  expect(good).toMatchObject({ code: 0, stderr: '' });
  const bad = machine.run('scripts/setup test', { CHROMIUM_PATH: '/opt/none/chrome' });
  expect(bad).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^CHROMIUM_PATH=\/opt\/none\/chrome does not lead to a program\./),
  });
  expect(machine.calls()).toEqual([]);
});

test('start becomes the server, with a compile cache', () => {
  using machine = machineWithFfmpeg();
  machine.npm('case $1 in -v) echo v26.10.0 ;; *) echo "$$ $* $NODE_COMPILE_CACHE" ;; esac');
  const started = machine.run('scripts/start');
  // The same process: signals to the script are signals to the server.
  expect(started.stdout).toBe(`${started.pid} src/main.ts ${machine.folder}/node_modules/.cache/compile\n`);
  const again = machine.run('scripts/start', { NODE_COMPILE_CACHE: '/elsewhere' });
  expect(again).toMatchObject({ stdout: `${again.pid} src/main.ts /elsewhere\n`, stderr: '' });
});

test('start fails where setup does', () => {
  using machine = machineWithFfmpeg();
  machine.without('node');
  expect(machine.run('scripts/start')).toMatchObject({ code: 1, stdout: '' });
});

test('test hands its arguments on, and ends with its line where setup fails', () => {
  using machine = machineForTests();
  machine.npm('case $1 in -v) echo v26.10.0 ;; *) echo "$*" ;; esac');
  expect(machine.run('scripts/test test/lib -t range').stdout).toBe('scripts/checks.ts test/lib -t range\n');
  machine.without('ffmpeg');
  expect(machine.run('scripts/test')).toMatchObject({ code: 1, stdout: '0 passed, 1 failed\n' });
});
