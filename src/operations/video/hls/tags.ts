// Lines of a playlist (RFC 8216, 4.1 and 4.2). What would break out of its line or its quotes is refused: it is our mistake.

/** Names of our own files stand for themselves: no folders, no escapes, no schemes. */
export function plainName(name: string): string {
  if (!/^[A-Za-z0-9][\w.-]{0,99}$/.test(name)) throw new RangeError('a name in a playlist is not plain');
  return name;
}

export function quoted(text: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/["\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)) {
    throw new RangeError('quotes and line breaks cannot stand in a playlist');
  }
  return `"${text}"`;
}

/** A tag with its attributes; those that are null are left out. */
export function tagOf(name: string, attributes: Readonly<Record<string, string | number | null>>): string {
  const list = Object.entries(attributes).flatMap(([key, value]) =>
    value === null ? [] : `${key}=${value}`,
  );
  return `#${name}:${list.join(',')}`;
}

export function secondsOf(seconds: number): string {
  if (!(seconds >= 0 && seconds < 1e9)) throw new RangeError(`${seconds} is no duration`);
  return seconds.toFixed(6);
}

export function wholeNumber(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no whole number`);
  return value;
}
