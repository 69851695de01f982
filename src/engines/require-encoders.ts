// Refuses outputs that this FFmpeg has no encoder for, before any work.

import type { OutputPart } from '../operations/video-operation.ts';
import { Problem } from '../problems.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';

/** Throws `encoder_missing`. */
export function requireEncoders(
  parts: Readonly<Record<string, OutputPart>>,
  capabilities: Capabilities,
): void {
  for (const [name, { encoders }] of Object.entries(parts)) {
    const lacking = encoders.filter((encoder) => !capabilities.encoders.includes(encoder));
    if (lacking.length > 0) {
      throw new Problem(
        'encoder_missing',
        `Output "${name}" needs the encoder ${lacking.join(' and ')}, which the server's FFmpeg lacks. Ask for another format.`,
      );
    }
  }
}
