// `npm run clips`: every clip × every output, looked at by FFmpeg, sharp and exiftool. Ends with 1 if one is not right.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { engine } from '../engines/video-fixtures.ts';
import { oddClips, sampleClips } from './clips.ts';
import { RECIPES } from './matrix.ts';
import { runClip } from './run-clip.ts';
import type { Cell, ClipReport } from './run-clip.ts';

const USAGE = `node test/acceptance/main.ts [--only mp4,hls] [--clips bbb,odd] [--at-once 1] [--figures]
Makes every output of every clip and holds it against its source.
--only       names of outputs: ${RECIPES.map(({ name }) => name).join(', ')}
--clips      parts of the names of clips; "samples" or "odd" for all of a kind
--figures    also prints what was measured`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    clips: { type: 'string', default: '' },
    'at-once': { type: 'string', default: availableParallelism() > 2 ? '2' : '1' },
    figures: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const words = (list: string): string[] => list.split(',').filter((word) => word !== '');
const only = words(values.only);
const parts = words(values.clips);
const recipes = RECIPES.filter(({ name }) => only.length === 0 || only.includes(name));
const samples = sampleClips();
const odd = oddClips();
const isWanted =
  (kind: string) =>
  ({ name }: { name: string }) =>
    parts.length === 0 || parts.includes(kind) || parts.some((part) => name.includes(part));
const clips = [...samples.filter(isWanted('samples')), ...odd.filter(isWanted('odd'))];
const atOnce = Number(values['at-once']);
const unknown = only.filter((word) => !RECIPES.some(({ name }) => name === word));
if (values.help || unknown.length > 0 || clips.length === 0 || !(atOnce >= 1)) {
  console.log(unknown.length > 0 ? `There is no output called ${unknown.join(', ')}.\n${USAGE}` : USAGE);
  process.exit(values.help ? 0 : 2);
}
if (samples.length === 0)
  console.error('The sample clips are not there (MEDIA_SAMPLES): only odd ones are looked at.');

const WIDTH = Math.max(...clips.map(({ name }) => name.length)) + 2;
const total = clips.length * recipes.length;
let done = 0;

function showProgress(name: string): void {
  if (!process.stderr.isTTY) return;
  const filled = Math.round((done / total) * 30);
  process.stderr.write(`\r\x1b[K[${'#'.repeat(filled)}${'.'.repeat(30 - filled)}] ${done}/${total} ${name}`);
}

/** `✓`; `✗`; `∅` refused as it should be; `·` not of this clip. */
function mark(cell: Cell | undefined): string {
  if (cell === undefined) return '·';
  if (cell.faults.length > 0) return '✗';
  return cell.refused ? '∅' : '✓';
}

function row({ clip, cells, faults }: ClipReport): string {
  const marks = recipes.map(({ name }) => {
    const cell = cells.find(({ output }) => output === name);
    return mark(cell).padEnd(name.length + 1);
  });
  const reasons = [
    ...faults.map((fault) => `  ✗ ${fault}`),
    ...cells.flatMap(({ output, faults: ofCell }) => ofCell.map((fault) => `  ✗ ${output}: ${fault}`)),
    ...(values.figures ? cells.map(({ output, figures }) => `    ${output}: ${figuresOf(figures)}`) : []),
  ];
  return [clip.padEnd(WIDTH) + marks.join(''), ...reasons].join('\n');
}

const figuresOf = (figures: Cell['figures']): string =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', ');

console.log(' '.repeat(WIDTH) + recipes.map(({ name }) => `${name} `).join(''));
const videos = engine({ timeoutSeconds: 1800 });
const reports: ClipReport[] = [];
const waiting = [...clips];

async function work(): Promise<void> {
  for (let clip = waiting.shift(); clip !== undefined; clip = waiting.shift()) {
    const { name } = clip;
    showProgress(name);
    const before = done;
    const report = await runClip(videos, clip, recipes, () => {
      done++;
      showProgress(name);
    }).catch(
      (error: Error): ClipReport => ({ clip: name, cells: [], faults: [error.stack ?? error.message] }),
    );
    // Outputs that are not of this clip count as done too.
    if (atOnce === 1) done = before + recipes.length;
    reports.push(report);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    console.log(row(report));
  }
}

try {
  await Promise.all(Array.from({ length: atOnce }, work));
} finally {
  await videos.close();
}
const cells = reports.flatMap((report) => report.cells);
const wrong = cells.filter(({ faults }) => faults.length > 0).length;
const others = reports.flatMap(({ faults }) => faults).length;
const furthest = (name: string): string =>
  Math.max(0, ...cells.map(({ figures }) => Math.abs(figures[name] ?? 0))).toFixed(1);
console.log(
  `${reports.length} clips, ${cells.length} outputs, ${cells.filter(({ refused }) => refused).length} of them refused as they should be, ${wrong} wrong, ${others} other faults; sound at most ${furthest('sync ms')} ms from the picture`,
);
process.exitCode = wrong + others === 0 ? 0 : 1;
