// The plot of docs/scaling.md: CPU of Redis over hosts, both by powers, since they span four of them.

import { escape } from '../report/chart.ts';

export interface Line {
  readonly name: string;
  /** Both greater than 0. */
  readonly points: readonly (readonly [hosts: number, cores: number])[];
}

const WIDTH = 640;
const HEIGHT = 300;
const PLOT = { left: 64, right: 16, top: 12, bottom: 44 };
const COLOURS = ['#0b68cb', '#c4570a', '#7a3fb5'];
const STYLE = `svg { background: #fcfcfd; font: 12px system-ui, sans-serif } text { fill: #60646c }
.grid { stroke: #e0e1e6 } .limit { stroke: #c62a2f; stroke-dasharray: 4 4 }
polyline { fill: none; stroke: currentColor; stroke-width: 2 } circle { fill: currentColor }
${COLOURS.map((colour, at) => `.series-${at} { color: ${colour} }`).join(' ')}`;

/** An SVG file. `limit` in cores. */
export function drawScaling(title: string, lines: readonly Line[], limit: number): string {
  const points = lines.flatMap((line) => line.points);
  const cores = [...points.map(([, each]) => each), limit];
  const lowest = Math.floor(Math.log10(Math.min(...cores)));
  const highest = Math.ceil(Math.log10(Math.max(...cores)));
  const hosts = [...new Set(points.map(([each]) => each))].toSorted((one, other) => one - other);
  const most = Math.log2(Math.max(...hosts, 2));
  const across = WIDTH - PLOT.left - PLOT.right;
  const down = HEIGHT - PLOT.top - PLOT.bottom;
  const x = (count: number): string => (PLOT.left + (across * Math.log2(count)) / most).toFixed(1);
  const y = (value: number): number =>
    PLOT.top + down * (1 - (Math.log10(value) - lowest) / Math.max(1, highest - lowest));
  const text = (at: string, height: number, words: string, anchor = 'middle'): string =>
    `<text x="${at}" y="${height.toFixed(1)}" text-anchor="${anchor}">${escape(words)}</text>`;
  const level = (kind: string, value: number): string =>
    `<line class="${kind}" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}"/>`;
  const powers = Array.from({ length: highest - lowest + 1 }, (_, at) => 10 ** (lowest + at));
  const drawn = lines.map((line, at) => {
    const places = line.points.map(([count, value]) => [x(count), y(value).toFixed(1)] as const);
    const legend = PLOT.top + 16 + at * 18;
    return `<g class="series-${at % COLOURS.length}"><polyline points="${places.map((place) => place.join(',')).join(' ')}"/>
${places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3"/>`).join('')}
<circle cx="${PLOT.left + 20}" cy="${legend - 4}" r="4"/>${text(`${PLOT.left + 30}`, legend, line.name, 'start')}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">
<style>${STYLE}</style>
${powers.map((value) => level('grid', value) + text(`${PLOT.left - 8}`, y(value) + 4, short(value), 'end')).join('\n')}
${level('limit', limit)}${text(`${WIDTH - PLOT.right}`, y(limit) - 5, `${short(limit)} of a core`, 'end')}
${drawn.join('\n')}
${hosts.map((count) => text(x(count), HEIGHT - 26, String(count))).join('')}
${text(`${PLOT.left + across / 2}`, HEIGHT - 6, 'hosts')}
<text transform="translate(14 ${PLOT.top + down / 2}) rotate(-90)" text-anchor="middle">cores of Redis</text>
</svg>
`;
}

const short = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 2 });
