// One line that shows how far something is.

export interface Progress {
  readonly label: string;
  /** 0 to 1; null where nobody knows. */
  readonly fraction: number | null;
  /** Such as `2.4×` or `12.3 MB/s`. */
  readonly speed?: string | undefined;
  readonly etaSeconds?: number | null | undefined;
}

const BAR = 24;

/** No longer than the terminal is wide: a line that wraps cannot be drawn over. */
export function progressLine({ label, fraction, speed, etaSeconds }: Progress, columns: number): string {
  const parts = [label];
  if (fraction !== null) {
    const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR);
    parts.push(`[${'█'.repeat(full)}${'░'.repeat(BAR - full)}]`, `${Math.floor(fraction * 100)} %`);
  }
  if (speed !== undefined) parts.push(speed);
  if (typeof etaSeconds === 'number') parts.push(`ETA ${clock(etaSeconds)}`);
  return parts.join('  ').slice(0, Math.max(1, columns - 1));
}

/** `1:05`, `2:00:00`. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `812 B`, `1.2 MB`. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
