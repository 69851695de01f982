// The Accept header (RFC 9110, 12.5.1): how much a client wants each media type.

export interface Acceptance {
  /** 0 (not at all) to 1. */
  readonly weight: number;
  /** It was named in full, and not only covered by `image/*` or a lone wildcard. */
  readonly named: boolean;
}

interface Range {
  readonly type: string;
  readonly weight: number;
}

/** Nobody's header is longer; more would only cost time. */
const MOST_RANGES = 100;

/**
 * A function that tells how a media type is accepted: by the most specific range that covers it. Without a header
 * everything is accepted, with weight 1. Ranges that cannot be read are overlooked, and so are their parameters.
 */
export function parseAccept(header: string | undefined): (mediaType: string) => Acceptance {
  const ranges = (header ?? '*/*').toLowerCase().split(',', MOST_RANGES).flatMap(readRange);
  return (mediaType) => {
    const find = (type: string): Range | undefined => ranges.find((range) => range.type === type);
    const own = find(mediaType);
    const range = own ?? find(`${mediaType.split('/')[0]}/*`) ?? find('*/*');
    return { weight: range?.weight ?? 0, named: own !== undefined };
  };
}

function readRange(text: string): Range[] {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  if (!/^[\w!#$&^.+*-]+\/[\w!#$&^.+*-]+$/.test(type)) return [];
  const weights = parameters.flatMap((parameter) => /^q=(.*)$/.exec(parameter)?.[1] ?? []);
  const [weight] = weights;
  if (weight === undefined) return [{ type, weight: 1 }];
  // A weight of another form is a mistake, and then the range says nothing.
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? [{ type, weight: Number(weight) }] : [];
}
