// <image-slider>: two pictures of the same thing, one over the other, and an edge between them that is moved.

const TAG = 'image-slider';

/** Attributes `before`, `after` (addresses), `before-label`, `after-label`. */
class ImageSlider extends HTMLElement {
  static readonly observedAttributes = ['before', 'after', 'before-label', 'after-label'];
  readonly #before = document.createElement('img');
  readonly #after = document.createElement('img');
  readonly #range = document.createElement('input');
  readonly #labels = [document.createElement('span'), document.createElement('span')] as const;

  connectedCallback(): void {
    if (this.childElementCount > 0) return;
    this.#after.className = 'after';
    this.#before.className = 'before';
    this.#after.draggable = this.#before.draggable = false;
    Object.assign(this.#range, { type: 'range', min: '0', max: '100', step: '0.5', value: '50' });
    this.#range.setAttribute('aria-label', 'How much of the picture before is shown');
    this.#range.addEventListener('input', () => this.#place());
    const edge = document.createElement('span');
    edge.className = 'edge';
    this.#labels[0].className = 'label before-label';
    this.#labels[1].className = 'label after-label';
    this.append(this.#after, this.#before, edge, ...this.#labels, this.#range);
    this.#place();
  }

  attributeChangedCallback(name: string, _: string | null, value: string | null): void {
    if (name === 'before') this.#before.src = value ?? '';
    if (name === 'after') this.#after.src = value ?? '';
    if (name === 'before-label') {
      this.#labels[0].textContent = value;
      this.#before.alt = value ?? '';
    }
    if (name === 'after-label') {
      this.#labels[1].textContent = value;
      this.#after.alt = value ?? '';
    }
  }

  #place(): void {
    this.style.setProperty('--at', `${this.#range.value}%`);
  }
}

export function defineImageSlider(): void {
  if (customElements.get(TAG) === undefined) customElements.define(TAG, ImageSlider);
}
