// The picture that is shown where one cannot be made: a file of the operator's, read once.

import { readFile } from 'node:fs/promises';
import { ConfigError } from '../config.ts';
import { sniff } from '../lib/media-type.ts';

export interface FallbackImage {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** Throws ConfigError if the file cannot be read or is no picture. It is answered as it is, in whatever size. */
export async function readFallbackImage(path: string | undefined): Promise<FallbackImage | undefined> {
  if (path === undefined) return undefined;
  const bytes = await readFile(path).catch((error: Error) => {
    throw new ConfigError(`FALLBACK_IMAGE ${path} cannot be read: ${error.message}`, { cause: error });
  });
  const mediaType = sniff(bytes.subarray(0, 4096))?.mediaType;
  // SVG can carry scripts, and is never answered.
  if (mediaType?.startsWith('image/') !== true || mediaType === 'image/svg+xml')
    throw new ConfigError(`FALLBACK_IMAGE ${path} is not a picture that browsers show`);
  return { bytes, mediaType };
}
