// <time-plot>: lines over time by uPlot, in the colours of the page, as wide as there is room.

import type { AlignedData, Options } from 'uplot';
import type UPlot from 'uplot';

const TAG = 'time-plot';
const HEIGHT = 150;

export interface Line {
  readonly label: string;
  /** A CSS variable: `--line-1`. */
  readonly colour: string;
}

/** Properties, not attributes: `lines` once, `format` of a value, `data` each time: seconds since 1970, then the values of each line. */
export class TimePlot extends HTMLElement {
  lines: readonly Line[] = [];
  format: (value: number) => string = (value) => `${value}`;
  readonly #resized = new ResizeObserver(() =>
    this.#plot?.setSize({ width: this.clientWidth, height: HEIGHT }),
  );
  #plot: UPlot | undefined;
  #data: AlignedData = [[]];

  get data(): AlignedData {
    return this.#data;
  }
  set data(data: AlignedData) {
    this.#data = data;
    this.#plot?.setData(data);
  }

  connectedCallback(): void {
    this.setAttribute('role', 'img');
    this.#resized.observe(this);
    document.addEventListener('themechange', this.#remake);
    void this.#make();
  }

  disconnectedCallback(): void {
    this.#resized.disconnect();
    document.removeEventListener('themechange', this.#remake);
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  readonly #remake = (): void => {
    void this.#make();
  };

  async #make(): Promise<void> {
    const { default: Plot } = await import('uplot');
    if (!this.isConnected) return;
    this.#plot?.destroy();
    // A canvas knows no variables: what they come to in this theme is asked of an element.
    const colour = (name: string): string => {
      this.style.color = `var(${name})`;
      return getComputedStyle(this).color;
    };
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    };
    const options: Options = {
      width: this.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false },
      padding: [8, 8, 0, 0],
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [
        {
          ...axis,
          size: 30,
          values: [
            [60, '{HH}:{mm}', null, null, null, null, null, null, 1],
            [1, '{mm}:{ss}', null, null, null, null, null, null, 1],
          ],
          space: 60,
        },
        { ...axis, size: 76, values: (_, values) => values.map((value) => this.format(value)) },
      ],
      series: [
        {},
        ...this.lines.map(({ label, colour: name }) => ({
          ...{ label, stroke: colour(name), width: 1.75 },
          points: { show: false },
        })),
      ],
    };
    this.#plot = new Plot(options, this.#data, this);
  }
}

export function defineTimePlot(): void {
  if (customElements.get(TAG) === undefined) customElements.define(TAG, TimePlot);
}
