// The report as one HTML file that needs nothing else: no scripts, no fonts, no requests; dark where the reader's system is.

import { withUnit } from '../format.ts';
import { machineLine } from '../machine.ts';
import { isMet } from '../scenario.ts';
import type { Figure } from '../scenario.ts';
import { byRound, drawChart, escape } from './chart.ts';
import type { Chart } from './chart.ts';
import type { Report, ScenarioReport } from './report.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --dim: #60646c; --paper: #fcfcfd; --line: #e0e1e6; --good: #18794e; --bad: #c62a2f;
  --s0: #8b8d98; --s1: #0b68cb; --s2: #c4570a; --s3: #7a3fb5; --s4: #17803d; --s5: #b3255f; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --dim: #b0b4ba; --paper: #111113; --line: #363a3f; --good: #3dd68c; --bad: #ff9592;
  --s0: #9b9da8; --s1: #70b8ff; --s2: #ffa057; --s3: #d19dff; --s4: #71d083; --s5: #ff8dcc; } }
* { box-sizing: border-box }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
p, li { max-width: 60rem } .dim, figcaption, td.words { color: var(--dim) }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line) }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
.met { color: var(--good) } .missed { color: var(--bad); font-weight: 600 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem }
figure { margin: 0 } svg { width: 100%; height: auto; display: block } svg text { fill: var(--dim); font-size: 12px }
.grid { stroke: var(--line) } .limit { stroke: var(--bad); stroke-dasharray: 4 4 }
.series polyline { fill: none; stroke: currentColor; stroke-width: 2 } .series circle { fill: currentColor }
.legend { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem }
.legend li::before { content: "●"; margin-right: .4em }
${Array.from({ length: 6 }, (_, i) => `.series-${i} { color: var(--s${i}) }`).join(' ')}
`;

/** The page. */
export function drawPage(report: Report): string {
  const { date, command, quick, seconds, machine, scenarios } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mediamill under load, ${escape(date.slice(0, 10))}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Mediamill under load</h1>
<p>${escape(date)}, commit ${escape(machine.commit)}, <code>${escape(command)}</code>, ${Math.round(seconds)} s<br>
<span class="dim">${escape(machineLine(machine))}</span></p>
${quick ? '<p class="missed">A quick run: it shows that the scenarios work. Its figures mean nothing.</p>' : ''}
${figuresTable(scenarios.flatMap(({ figures }) => figures))}
${scenarios.map(section).join('\n')}
</body>
</html>
`;
}

function section({ name, title, seconds, figures, charts, notes }: ScenarioReport): string {
  return `<section>
<h2 id="${escape(name)}">${escape(title)}</h2>
${notes.map((note) => `<p class="dim">${escape(note)}</p>`).join('\n')}
<ul>${figures.map((each) => `<li>${escape(each.name)}, round by round: ${escape(each.rounds.map((value) => withUnit(value, each.unit)).join(', '))}</li>`).join('')}</ul>
<div class="charts">${[...figures.flatMap(againstTarget), ...charts].map(drawChart).join('\n')}</div>
<p class="dim">${Math.round(seconds)} s</p>
</section>`;
}

/** Its rounds, and the line that they should keep to. */
function againstTarget({ name, unit, target, rounds }: Figure): Chart[] {
  if (target === null) return [];
  const chart = byRound(name, unit === '' ? 'ratio' : unit, { [name]: rounds });
  return [
    { ...chart, limit: { label: `target ${target.op} ${withUnit(target.value, unit)}`, y: target.value } },
  ];
}

function figuresTable(figures: readonly Figure[]): string {
  const rows = figures.map((each) => {
    const { name, unit, target, median, min, max, measured, floor } = each;
    const met = isMet(each);
    const verdict =
      met === undefined
        ? ''
        : met
          ? '<span class="met">✓ met</span>'
          : '<span class="missed">✗ missed</span>';
    const goal = target === null ? '–' : `${target.op} ${withUnit(target.value, unit)}`;
    return `<tr><td>${escape(name)}</td><td class="number">${escape(goal)}</td>
<td class="number"><strong>${escape(withUnit(median, unit))}</strong> (${escape(withUnit(min, ''))} – ${escape(withUnit(max, ''))})</td>
<td>${verdict}</td><td class="words">${escape(measured)}</td><td class="words">${escape(floor)}</td></tr>`;
  });
  return `<div class="scroll"><table>
<thead><tr><th>figure</th><th>target</th><th>median (least – most)</th><th></th><th>measured</th><th>floor</th></tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table></div>`;
}
