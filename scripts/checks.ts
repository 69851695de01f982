// Everything that CI checks, one after the other, all of it even if one fails. Run by scripts/test.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** A tool of the machine and not of package.json: without it the check is left out, and said to be. */
  readonly optional?: boolean;
}

interface Tally {
  readonly passed: number;
  readonly failed: number;
}

const CHECKS: readonly Check[] = [
  { name: 'format', command: ['biome', 'format', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'unused', command: ['knip'] },
  { name: 'types', command: ['tsc'] },
  { name: 'types of the console', command: ['tsc', '--project', 'src/console'] },
  { name: 'docs', command: ['node', 'scripts/docs.ts', '--check'] },
  {
    name: 'shell',
    command: ['shellcheck', 'scripts/setup', 'scripts/start', 'scripts/test', '.ci/run'],
    optional: true,
  },
];

/** Which tests run again over Redis and S3: test/support/matrix.ts. */
const FLEET = process.env['TEST_FLEET'] ?? 'main';

const root = resolve(import.meta.dirname, '..');
// This very Node before any other: the tools' own `#!/usr/bin/env node` must not find an older one.
const path = [join(root, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH']].join(
  delimiter,
);

let stop = (_signal: NodeJS.Signals): void => {};
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopped = true;
    stop(signal);
  });
}

/** Runs a program to its end. `missing` is true if there is no such program. */
function run(
  [program, ...args]: Check['command'],
  show: 'as it comes' | 'afterwards',
): Promise<{ ok: boolean; missing: boolean; output: string }> {
  const { promise, resolve: done } = Promise.withResolvers<{
    ok: boolean;
    missing: boolean;
    output: string;
  }>();
  const chunks: Buffer[] = [];
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, PATH: path, TEST_FLEET: FLEET },
    stdio: show === 'as it comes' ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
  });
  stop = (signal) => child.kill(signal);
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('error', (error) => {
    done({ ok: false, missing: 'code' in error && error.code === 'ENOENT', output: `${error.message}\n` });
  });
  child.on('close', (code) => {
    done({ ok: code === 0, missing: false, output: Buffer.concat(chunks).toString() });
  });
  return promise;
}

async function check({ name, command, optional }: Check): Promise<Tally> {
  const started = performance.now();
  const { ok, missing, output } = await run(command, 'afterwards');
  if (missing && optional === true) {
    console.log(`- ${name}: left out, there is no ${command[0]} on this machine`);
    return { passed: 0, failed: 0 };
  }
  console.log(`${ok ? '✓' : '✗'} ${name}: ${command.join(' ')} (${seconds(started)})`);
  if (!ok) process.stdout.write(output.endsWith('\n') ? output : `${output}\n`);
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function tests(only: readonly string[]): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-tests-'));
  try {
    const report = join(folder, 'report.json');
    const started = performance.now();
    console.log(`\ntests: TEST_FLEET=${FLEET} vitest run${only.map((arg) => ` ${arg}`).join('')}`);
    const { ok, output } = await run(
      ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...only],
      'as it comes',
    );
    process.stdout.write(output);
    const { passed, failed, skipped } = count(await readFile(report, 'utf8').catch(() => '{}'));
    // Vitest can fail with no failed test: a crash, an unhandled rejection, no test file found.
    const failures = ok ? failed : Math.max(1, failed);
    console.log(
      `${ok ? '✓' : '✗'} tests: ${passed} passed, ${failures} failed, ${skipped} skipped (${seconds(started)})`,
    );
    return { passed, failed: failures };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of Vitest's JSON report: tests, and files that failed as a whole, which have no failed test in them. */
function count(json: string): Tally & { skipped: number } {
  const report = JSON.parse(json) as {
    numPassedTests?: number;
    numFailedTests?: number;
    numPendingTests?: number;
    numTodoTests?: number;
    testResults?: { status: string; assertionResults: { status: string }[] }[];
  };
  const brokenFiles = (report.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  );
  return {
    passed: report.numPassedTests ?? 0,
    failed: (report.numFailedTests ?? 0) + brokenFiles.length,
    skipped: (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0),
  };
}

function seconds(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

const only = process.argv.slice(2);
const tallies: Tally[] = [];
for (const each of only.length > 0 ? [] : CHECKS) {
  if (!stopped) tallies.push(await check(each));
}
if (!stopped) tallies.push(await tests(only));

const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
// What was stopped has not passed.
const failed = Math.max(
  tallies.reduce((sum, tally) => sum + tally.failed, 0),
  stopped ? 1 : 0,
);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
