// A line chart as inline SVG: a few lines of our own, so that the report is one file that asks nobody for anything.

export interface Chart {
  readonly title: string;
  readonly x: { readonly label: string; readonly ticks?: readonly string[] };
  readonly y: { readonly label: string };
  readonly series: readonly Series[];
  /** A line across: a target. */
  readonly limit?: { readonly label: string; readonly y: number };
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Values of rounds 1, 2, 3 … */
export function byRound(
  title: string,
  y: string,
  series: Readonly<Record<string, readonly number[]>>,
): Chart {
  const rounds = Math.max(...Object.values(series).map((values) => values.length));
  return {
    title,
    x: { label: 'round', ticks: Array.from({ length: rounds }, (_, i) => String(i + 1)) },
    y: { label: y },
    series: Object.entries(series).map(([name, values]) => ({
      name,
      points: values.map((value, i) => [i, value]),
    })),
  };
}

const WIDTH = 640;
const HEIGHT = 260;
const PLOT = { left: 64, right: 16, top: 12, bottom: 44 };

/** The SVG. Colours come from the page's style: `series-0` … `series-5`. */
export function drawChart(chart: Chart): string {
  const points = chart.series.flatMap((series) => series.points);
  const ys = [...points.map(([, y]) => y), ...(chart.limit ? [chart.limit.y] : [])];
  const yTicks = niceTicks(Math.max(0, ...ys));
  const highest = yTicks.at(-1) ?? 1;
  const xs = points.map(([x]) => x);
  const [first, last] = chart.x.ticks ? [0, chart.x.ticks.length - 1] : [Math.min(...xs), Math.max(...xs)];
  const across = WIDTH - PLOT.left - PLOT.right;
  const down = HEIGHT - PLOT.top - PLOT.bottom;
  // One value alone stands in the middle.
  const x = (value: number): number =>
    PLOT.left + across * (last === first ? 0.5 : (value - first) / (last - first));
  const y = (value: number): number => PLOT.top + down * (1 - value / highest);
  const xTicks = chart.x.ticks
    ? chart.x.ticks.map((label, i) => ({ at: i, label }))
    : niceTicks(last).map((at) => ({ at, label: short(at) }));

  const grid = yTicks.map(
    (value) =>
      `<line class="grid" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${n(y(value))}" y2="${n(y(value))}"/>` +
      `<text x="${PLOT.left - 8}" y="${n(y(value) + 4)}" text-anchor="end">${short(value)}</text>`,
  );
  const labels = xTicks
    .filter(({ at }) => at >= first && at <= last)
    .map(
      ({ at, label }) =>
        `<text x="${n(x(at))}" y="${HEIGHT - 26}" text-anchor="middle">${escape(label)}</text>`,
    );
  const limit = chart.limit
    ? `<line class="limit" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${n(y(chart.limit.y))}" y2="${n(y(chart.limit.y))}"/>` +
      `<text x="${WIDTH - PLOT.right}" y="${n(y(chart.limit.y) - 5)}" text-anchor="end">${escape(chart.limit.label)}</text>`
    : '';
  const lines = chart.series.map((series, i) => {
    const path = series.points.map(([px, py]) => `${n(x(px))},${n(y(py))}`).join(' ');
    const dots =
      series.points.length > 40
        ? ''
        : series.points
            .map(
              ([px, py]) =>
                `<circle cx="${n(x(px))}" cy="${n(y(py))}" r="3"><title>${escape(series.name)}: ${short(py)}</title></circle>`,
            )
            .join('');
    return `<g class="series series-${i % 6}"><polyline points="${path}"/>${dots}</g>`;
  });
  const legend = chart.series
    .map((series, i) => `<li class="series-${i % 6}">${escape(series.name)}</li>`)
    .join('');
  return `<figure>
<figcaption>${escape(chart.title)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(chart.title)}">
${grid.join('')}${labels.join('')}${limit}${lines.join('')}
<text x="${PLOT.left + across / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escape(chart.x.label)}</text>
<text transform="translate(14 ${PLOT.top + down / 2}) rotate(-90)" text-anchor="middle">${escape(chart.y.label)}</text>
</svg>
<ul class="legend">${legend}</ul>
</figure>`;
}

/** 0 and a few round numbers, the last at or above `highest`. */
export function niceTicks(highest: number): number[] {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999_999) ?? 10);
  // By multiplication: sums of steps would drift.
  return Array.from({ length: Math.ceil(highest / step - 1e-9) + 1 }, (_, i) =>
    Number((i * step).toPrecision(12)),
  );
}

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const n = (value: number): string => value.toFixed(1);
const short = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 });
