// scripts/checks.ts with stubs for the tools: everything runs, the sum is right, the last line is the promised one.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const TOOLS = ['biome', 'oxlint', 'knip', 'tsc', 'shellcheck'];
let folder = '';

function tool(name: string, script = ''): void {
  writeFileSync(
    join(folder, 'node_modules/.bin', name),
    `#!/bin/sh\necho "${name} $*" >>"${folder}/calls"\n${script}\n`,
    { mode: 0o755 },
  );
}

/** A Vitest that leaves `report` where it was asked to, and ends with `code`. */
function vitest(report: object | undefined, code = 0): void {
  const leave =
    report === undefined
      ? ''
      : `for arg in "$@"; do case $arg in --outputFile.json=*) echo '${JSON.stringify(report)}' >"\${arg#*=}" ;; esac; done`;
  tool('vitest', `echo "vitest's own words"\n${leave}\nexit ${code}`);
}

function run(...args: string[]) {
  const { status, stdout } = spawnSync(process.execPath, [join(folder, 'scripts/checks.ts'), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { code: status, lines: stdout.trimEnd().split('\n') };
}

function calls(): string[] {
  return readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
}

const GREEN = { numPassedTests: 10, numFailedTests: 0, numPendingTests: 2, numTodoTests: 1, testResults: [] };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mediamill-checks-'));
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
  mkdirSync(join(folder, 'scripts'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'scripts/docs.ts'), '');
  cpSync(resolve(import.meta.dirname, '../../scripts/checks.ts'), join(folder, 'scripts/checks.ts'));
  for (const name of TOOLS) tool(name);
  vitest(GREEN);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('each check counts one, and each test', () => {
  const { code, lines } = run();
  expect(code).toBe(0);
  expect(lines.at(-1)).toBe('17 passed, 0 failed');
  expect(lines.at(-2)).toContain('3 skipped');
  expect(lines).toContain("vitest's own words");
  expect(calls().map((call) => call.split(' ')[0])).toEqual([
    'biome',
    'oxlint',
    'knip',
    'tsc',
    'tsc',
    'shellcheck',
    'vitest',
  ]);
});

test('a failed check is shown in full, and stops nothing', () => {
  tool('biome', 'echo "src/app.ts is not formatted"; exit 1');
  writeFileSync(join(folder, 'scripts/docs.ts'), 'console.error("docs are stale"); process.exit(1);');
  const { code, lines } = run();
  expect(code).toBe(1);
  expect(lines.at(-1)).toBe('15 passed, 2 failed');
  expect(lines).toContain('src/app.ts is not formatted');
  expect(lines).toContain('docs are stale');
});

test('failed tests count, and so do files that fail as a whole', () => {
  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((each) => ({ status: each })),
  });
  const testResults = [file('passed', 'passed'), file('failed', 'failed', 'failed'), file('failed')];
  vitest({ ...GREEN, numPassedTests: 1, numFailedTests: 2, testResults }, 1);
  expect(run()).toMatchObject({ code: 1, lines: expect.arrayContaining(['8 passed, 3 failed']) });
});

test.each([
  ['crashes', undefined, '7 passed, 1 failed'],
  ['has an unhandled rejection though every test passed', GREEN, '17 passed, 1 failed'],
])('a Vitest that %s is a failure', (_name, report, sum) => {
  vitest(report, 1);
  const { code, lines } = run();
  expect(code).toBe(1);
  expect(lines.at(-1)).toBe(sum);
});

test('with arguments only those tests run', () => {
  const { code, lines } = run('test/lib', '-t', 'range');
  expect(code).toBe(0);
  expect(lines.at(-1)).toBe('10 passed, 0 failed');
  expect(calls()).toEqual([expect.stringMatching(/^vitest run .*--reporter=json .* test\/lib -t range$/)]);
});

// A Node of the system's own lies beside its shellcheck, and would show it again.
test.skipIf(existsSync(join(dirname(process.execPath), 'shellcheck')))(
  'a tool that the machine need not have is left out, and a needed one is a failure',
  () => {
    rmSync(join(folder, 'node_modules/.bin/shellcheck'));
    rmSync(join(folder, 'node_modules/.bin/tsc'));
    const { status, stdout } = spawnSync(process.execPath, [join(folder, 'scripts/checks.ts')], {
      encoding: 'utf8',
      env: { PATH: folder },
    });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^- shell: left out/m);
    expect(stdout).toMatch(/^✗ types/m);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('14 passed, 2 failed');
  },
);

test('SIGTERM ends the running tool too, and counts as a failure', async () => {
  tool('knip', 'exec tail -f /dev/null');
  const child = spawn(process.execPath, [join(folder, 'scripts/checks.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    output += text;
    // Said in the turn in which knip, which only a signal ends, is started.
    if (!child.killed && output.includes('✓ lint')) child.kill('SIGTERM');
  });
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(1);
  expect(output.trimEnd().split('\n').at(-1)).toBe('2 passed, 1 failed');
  expect(output).not.toContain('types');
});
