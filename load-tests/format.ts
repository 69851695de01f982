// Numbers for people: as many digits as mean something.

/** Three digits, and no fraction past a hundred: `0.974`, `17.2`, `1,234`. */
export function digits(value: number): string {
  const size = Math.abs(value);
  const fraction = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString('en', { minimumFractionDigits: fraction, maximumFractionDigits: fraction });
}

export function ms(seconds: number): string {
  return `${digits(seconds * 1000)} ms`;
}

export function withUnit(value: number, unit: string): string {
  return unit === '' ? digits(value) : `${digits(value)} ${unit}`;
}
