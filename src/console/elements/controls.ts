// The small parts of which elements are made.

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

/** Drawn here: not every machine has a font with these signs. Each fills 24 × 24. */
const SIGNS = {
  play: 'M7 4v16l13-8z',
  pause: 'M6 4h4v16H6zM14 4h4v16h-4z',
  loud: 'M3 9v6h4l6 5V4L7 9zM16 8a5 5 0 0 1 0 8M18.5 5a9 9 0 0 1 0 14',
  silent: 'M3 9v6h4l6 5V4L7 9zM16 9l6 6M22 9l-6 6',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
} as const;

/** Gives a button its sign and its name. */
export function dress(target: HTMLButtonElement, sign: keyof typeof SIGNS, label: string): void {
  if (target.getAttribute('aria-label') === label) return;
  const picture = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', SIGNS[sign]);
  picture.setAttribute('viewBox', '0 0 24 24');
  picture.setAttribute('class', `sign ${sign}`);
  picture.setAttribute('aria-hidden', 'true');
  picture.append(path);
  target.replaceChildren(picture);
  target.setAttribute('aria-label', label);
}

export function button(label: string, sign: keyof typeof SIGNS, onPress: () => void): HTMLButtonElement {
  const made = element('button', 'quiet');
  made.type = 'button';
  dress(made, sign, label);
  made.addEventListener('click', onPress);
  return made;
}

export function slider(label: string, from: number, to: number): HTMLInputElement {
  const made = element('input', '');
  Object.assign(made, { type: 'range', min: `${from}`, max: `${to}`, step: 'any', value: `${from}` });
  made.setAttribute('aria-label', label);
  return made;
}

export function select(label: string, onChoice: (value: string) => void): HTMLSelectElement {
  const made = element('select', '');
  made.setAttribute('aria-label', label);
  made.addEventListener('change', () => onChoice(made.value));
  return made;
}
