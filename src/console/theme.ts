// Dark or light: as the system says, until one is chosen.

export type Theme = 'auto' | 'dark' | 'light';
const CHOICE = 'mediamill.theme';
const ORDER: readonly Theme[] = ['auto', 'dark', 'light'];

export function chosenTheme(): Theme {
  const stored = localStorage.getItem(CHOICE);
  return ORDER.find((each) => each === stored) ?? 'auto';
}

/** Tells `themechange` at the document, for what is drawn and not styled. */
export function applyTheme(theme: Theme): void {
  if (theme === 'auto') {
    localStorage.removeItem(CHOICE);
    delete document.documentElement.dataset['theme'];
  } else {
    localStorage.setItem(CHOICE, theme);
    document.documentElement.dataset['theme'] = theme;
  }
  document.dispatchEvent(new Event('themechange'));
}

export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? 'auto';
}
