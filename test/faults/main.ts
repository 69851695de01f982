// The fault rounds, `npm run faults`: kills at random what can be killed, and counts what was lost or broken (0).

import { parseArgs } from 'node:util';
import { HAS_PROC } from '../support/processes.ts';
import { chunkRound } from './chunks.ts';
import { prepareLoad } from './load.ts';
import { FLEET, fleetRound } from './fleet.ts';
import { runRound } from './round.ts';
import type { Report } from './round.ts';
import { SPECIAL_ROUNDS } from './special.ts';
import { uploadRound } from './uploads.ts';

const USAGE = `node test/faults/main.ts [--rounds 30] [--seed 1] [--only random|special|chunks|uploads|fleet|<part of a name>]
Rounds with kill -9 at random moments, then the rounds with a plan. Ends with 1 if any promise was broken.
A round is repeated by --rounds 1 --seed <its seed> --only random, or --only chunks, uploads or fleet.`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const seed = Number(values.seed);
if (values.help || !Number.isSafeInteger(rounds) || !Number.isSafeInteger(seed) || rounds < 0) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
if (!HAS_PROC) {
  console.error('The fault rounds look for orphans in /proc: they run on Linux only.');
  process.exit(2);
}

const over = new AbortController();
process.once('SIGINT', () => over.abort(new Error('stopped')));

type Round = readonly [string, () => Promise<Report>];
const random: Round[] = Array.from({ length: values.only === 'special' ? 0 : rounds }, (_, index) => [
  `seed ${seed + index}`,
  () => runRound({ seed: seed + index, jobs: 12, kills: 7, signal: over.signal }),
]);
const special: Round[] = Object.entries(SPECIAL_ROUNDS)
  .filter(([name]) => values.only === '' || values.only === 'special' || name.includes(values.only))
  .map(([name, run]) => [name, () => run(over.signal)]);
// Eight kills each: with four rounds more than thirty.
const chunkRounds = values.only === 'chunks' ? rounds : ['', 'special'].includes(values.only) ? 4 : 0;
const chunks: Round[] = Array.from({ length: chunkRounds }, (_, index) => [
  `chunks, seed ${seed + index}`,
  () => chunkRound({ seed: seed + index, kills: 8, seconds: 100, signal: over.signal }),
]);
const uploadRounds = values.only === 'uploads' ? rounds : ['', 'special'].includes(values.only) ? 6 : 0;
const uploads: Round[] = Array.from({ length: uploadRounds }, (_, index) => [
  `uploads, seed ${seed + index}`,
  () => uploadRound({ seed: seed + index, uploads: 4, faults: 6, signal: over.signal }),
]);
const fleetRounds = values.only === 'fleet' ? rounds : ['', 'special'].includes(values.only) ? 2 : 0;
const fleets: Round[] = Array.from({ length: fleetRounds }, (_, index) => [
  `fleet, seed ${seed + index}`,
  () => fleetRound({ ...FLEET, seed: seed + index, long: (seed + index) % 5 === 0, signal: over.signal }),
]);
const isPart = !['', 'random', 'special'].includes(values.only);
const plan = [
  ...(isPart ? [] : random),
  ...(values.only === 'random' ? [] : special),
  ...chunks,
  ...uploads,
  ...fleets,
];

const COLUMNS =
  'round            jobs  killed: process ffmpeg primary  cut off  attempts  left  orphan ms  seconds';

function row({ name, jobs, kills, broken, attempts, left, orphanMs, seconds, violations }: Report): string {
  const cells: readonly (readonly [string | number, number])[] = [
    [jobs, 6],
    [kills.process, 17],
    [kills.encoder, 7],
    [kills.primary, 8],
    [broken, 9],
    [attempts, 10],
    [left, 6],
    [orphanMs, 11],
    [seconds.toFixed(1), 9],
  ];
  const line = name.padEnd(15) + cells.map(([value, width]) => String(value).padStart(width)).join('');
  return [line, ...violations.map((violation) => `  ✗ ${violation}`)].join('\n');
}

function showProgress(done: number, name: string): void {
  if (!process.stderr.isTTY) return;
  const width = 30;
  const filled = Math.round((done / plan.length) * width);
  process.stderr.write(
    `\r\x1b[K[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${done}/${plan.length} ${name}`,
  );
}

await prepareLoad();
console.log(COLUMNS);
const reports: Report[] = [];
for (const [index, [name, run]] of plan.entries()) {
  if (over.signal.aborted) break;
  showProgress(index, name);
  const begun = performance.now();
  const outcome = await run().catch(
    (error: Error): Report => ({
      name,
      jobs: 0,
      kills: { process: 0, encoder: 0, primary: 0 },
      broken: 0,
      attempts: 0,
      left: 0,
      orphanMs: 0,
      seconds: (performance.now() - begun) / 1000,
      violations: [`the round could not be finished: ${error.stack ?? error.message}`],
    }),
  );
  reports.push(outcome);
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  console.log(row(outcome));
}

const sum = (count: (report: Report) => number): number =>
  reports.reduce((total, report) => total + count(report), 0);
const violations = sum((report) => report.violations.length);
const kills = sum((report) => report.kills.process + report.kills.encoder + report.kills.primary);
console.log(
  `${reports.length} rounds, ${sum((report) => report.jobs)} jobs accepted, ${kills} kills at random, ${violations} promises broken`,
);
process.exitCode = violations === 0 && reports.length === plan.length ? 0 : 1;
