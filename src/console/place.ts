// Places in a document, as the server's problems name them: `outputs.small.steps.0.width`.

export type Place = readonly (string | number)[];

export const nameOf = (place: Place): string => place.join('.');

/** The document with another value at a place; undefined takes it away. */
export function put(document: unknown, [first, ...rest]: Place, value: unknown): unknown {
  if (first === undefined) return value;
  if (Array.isArray(document)) {
    if (rest.length === 0 && value === undefined) return document.toSpliced(Number(first), 1);
    return document.with(Number(first), put(document[Number(first)], rest, value));
  }
  const fields = { ...(document as Record<string, unknown> | undefined) };
  const next = put(fields[String(first)], rest, value);
  if (next === undefined) delete fields[String(first)];
  else fields[String(first)] = next;
  return fields;
}

/** The list with an entry moved up or down; as it is where it cannot move. */
export function move<T>(list: readonly T[], from: number, to: number): readonly T[] {
  const entry = list[from];
  if (entry === undefined || to < 0 || to >= list.length) return list;
  return list.toSpliced(from, 1).toSpliced(to, 0, entry);
}

/** A place as people say it: `small › step 1, resize › width`. */
export function spoken(place: string, document: unknown): string {
  const words: string[] = [];
  let at: unknown = document;
  for (const part of place.split('.')) {
    at = (at as Record<string, unknown> | null | undefined)?.[part];
    const op = (at as { op?: unknown } | null | undefined)?.op;
    const before = words.at(-1);
    if (/^\d+$/.test(part) && before !== undefined)
      words[words.length - 1] =
        `${before === 'steps' ? 'step' : before} ${Number(part) + 1}${typeof op === 'string' ? `, ${op}` : ''}`;
    else words.push(part);
  }
  const [first, ...rest] = words;
  return (first === 'outputs' && rest.length > 0 ? rest : words).join(' › ');
}

/** What the server found wrong, by place. A document was sent as `recipe`, and is named as if it were all there is. */
export function problemsByPlace(
  errors: readonly { readonly field: string; readonly message: string }[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { field, message } of errors) {
    const place = field.replace(/^recipe\./, '');
    const before = found.get(place);
    found.set(place, before === undefined ? message : `${before}; ${message}`);
  }
  return found;
}
