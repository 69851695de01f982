// The address of a view: `#/jobs/{id}`, `#/jobs?status=failed`.

export interface Address {
  /** An empty string: the first page. */
  readonly page: string;
  readonly argument: string;
  readonly query: URLSearchParams;
}

export function readAddress(hash: string): Address {
  const [path = '', ...query] = hash.split('?');
  const [, page = '', argument = ''] = path.split('/');
  return { page, argument: decoded(argument), query: new URLSearchParams(query.join('?')) };
}

/** Empty values are left out. */
export function writeAddress(page: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return `#/${page}${given.length === 0 ? '' : `?${new URLSearchParams(given)}`}`;
}

/** People cut addresses off wherever they like. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
