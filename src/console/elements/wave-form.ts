// <wave-form>: the peaks of a sound, drawn in the colours of the page.

const TAG = 'wave-form';

interface Peaks {
  readonly bits: number;
  /** Lowest and highest sample, in turn. */
  readonly data: readonly number[];
}

/** Attribute `src`: the address of `peaks.json`. */
class WaveForm extends HTMLElement {
  static readonly observedAttributes = ['src'];
  readonly #canvas = document.createElement('canvas');
  readonly #resized = new ResizeObserver(() => this.#draw());
  #peaks: Peaks | undefined;

  connectedCallback(): void {
    this.#canvas.setAttribute('role', 'img');
    this.#canvas.setAttribute('aria-label', 'Waveform');
    if (this.childElementCount === 0) this.append(this.#canvas);
    this.#resized.observe(this);
    // The colours are the theme's.
    document.addEventListener('themechange', this.#draw);
  }

  disconnectedCallback(): void {
    this.#resized.disconnect();
    document.removeEventListener('themechange', this.#draw);
  }

  attributeChangedCallback(_name: string, _before: string | null, src: string | null): void {
    if (src === null) return;
    fetch(src)
      .then(async (response) => {
        this.#peaks = (await response.json()) as Peaks;
        this.#draw();
      })
      .catch(() => this.classList.add('failed'));
  }

  readonly #draw = (): void => {
    const { clientWidth: width, clientHeight: height } = this;
    const pen = this.#canvas.getContext('2d');
    if (this.#peaks === undefined || pen === null || width === 0) return;
    const { bits, data } = this.#peaks;
    const dpr = devicePixelRatio;
    Object.assign(this.#canvas, { width: width * dpr, height: height * dpr });
    pen.scale(dpr, dpr);
    pen.fillStyle = getComputedStyle(this).color;
    const full = 2 ** (bits - 1);
    const pairs = data.length / 2;
    for (let x = 0; x < width; x += 3) {
      const [from, to] = [Math.floor((x / width) * pairs), Math.max(1, Math.ceil(((x + 3) / width) * pairs))];
      const part = data.slice(from * 2, to * 2);
      const loudest = Math.max(0, ...part.map(Math.abs)) / full;
      const tall = Math.max(1.5, loudest * height);
      pen.fillRect(x, (height - tall) / 2, 2, tall);
    }
  };
}

export function defineWaveForm(): void {
  if (customElements.get(TAG) === undefined) customElements.define(TAG, WaveForm);
}
