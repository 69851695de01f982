// The Prefer header (RFC 7240): `respond-async` and `wait=N`.

export interface Preferences {
  readonly respondAsync: boolean;
  /** Seconds. */
  readonly wait: number | undefined;
}

export function parsePrefer(header: string | readonly string[] | undefined): Preferences {
  let respondAsync = false;
  let wait: number | undefined;
  for (const preference of [header ?? ''].flat().join(',').split(',')) {
    const [name = '', value = ''] = (preference.split(';')[0] ?? '').split('=').map((part) => part.trim());
    if (name.toLowerCase() === 'respond-async') respondAsync = true;
    if (name.toLowerCase() === 'wait' && /^"?\d{1,6}"?$/.test(value))
      wait ??= Number(value.replaceAll('"', ''));
  }
  return { respondAsync, wait };
}
