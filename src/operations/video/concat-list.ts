// A list of our own files that FFmpeg reads as one.

/** Of an input that is such a list; `demuxers` are those of the files. */
export function concatOptions(demuxers: string): string[] {
  return `-protocol_whitelist file -format_whitelist concat,${demuxers} -f concat -safe 0`.split(' ');
}

/**
 * A list for FFmpeg's concat demuxer. `times`: where each file begins, and the end of the last, in seconds. Lengths
 * are told, since those in the files are rounded; their sum is right to the microsecond at every file.
 */
export function concatList(paths: readonly string[], times: readonly number[]): string {
  const micros = times.map((time) => Math.round(time * 1e6));
  const lines = paths.flatMap((path, index) => {
    if (path.includes('\n')) throw new Error('a path with a line break cannot stand in a list');
    const length = (micros[index + 1] ?? 0) - (micros[index] ?? 0);
    return [`file 'file:${path.replaceAll("'", String.raw`'\''`)}'`, `duration ${(length / 1e6).toFixed(6)}`];
  });
  return `${['ffconcat version 1.0', ...lines].join('\n')}\n`;
}
