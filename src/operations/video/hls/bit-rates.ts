// How many bits per second a playlist takes: at its peak, and on average.

/** Bits per second. */
export interface Rates {
  readonly peak: number;
  readonly average: number;
}

export interface SizedSegment {
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * RFC 8216, 4.1 and 4.3.4.2: the peak is the largest rate of any segments in a row that together last 0.5 to 1.5 times
 * the target duration. So a last segment of a few samples is no peak.
 */
export function segmentRates(segments: readonly SizedSegment[], targetSeconds: number): Rates {
  let bytes = 0;
  let seconds = 0;
  let longest = targetSeconds;
  for (const segment of segments) {
    bytes += segment.bytes;
    seconds += segment.seconds;
    longest = Math.max(longest, segment.seconds);
  }
  const average = seconds > 0 ? (bytes * 8) / seconds : 0;
  let peak = average;
  for (let from = 0; from < segments.length; from++) {
    let rowBytes = 0;
    let rowSeconds = 0;
    for (let to = from; to < segments.length; to++) {
      rowBytes += segments[to]?.bytes ?? 0;
      rowSeconds += segments[to]?.seconds ?? 0;
      if (rowSeconds > longest * 1.5) break;
      if (rowSeconds >= longest * 0.5) peak = Math.max(peak, (rowBytes * 8) / rowSeconds);
    }
  }
  return { peak: Math.ceil(peak), average: Math.ceil(average) };
}
