// VideoEngine by FFmpeg: probe, plan, run, check. What runs is stopped by an abort and by `close`.

import type { SourceFacts, VideoEngine } from '../contracts.ts';
import type { Logger } from '../logger.ts';
import { mainVideo } from '../operations/media-probe.ts';
import type { MediaProbe } from '../operations/media-probe.ts';
import { shownSize } from '../operations/video/geometry.ts';
import { Problem } from '../problems.ts';
import { FfmpegTools } from './ffmpeg-tools.ts';
import { makeOutputs } from './make-outputs.ts';
import type { ProduceRequest, Produced } from './make-outputs.ts';
import { probe } from './probe.ts';
import { checkSource } from './source-bounds.ts';

export interface VideoEngineOptions {
  readonly ffmpegPath: string;
  readonly ffprobePath: string;
  /** Longest source. */
  readonly maxSeconds: number;
  /** Most pixels of one frame. */
  readonly maxPixels: number;
  /** Wall clock of one FFmpeg run. */
  readonly timeoutSeconds: number;
  readonly log?: Pick<Logger, 'debug' | 'warn'>;
  /** Milliseconds, for estimates. */
  readonly now?: () => number;
}

/** Starts nothing until it is asked for something. */
export function createVideoEngine(options: VideoEngineOptions): VideoEngine {
  const tools = new FfmpegTools(options);
  const closing = new AbortController();
  const running = new Set<Promise<Produced>>();

  async function produce(request: ProduceRequest): Promise<Produced> {
    const { path, mediaType, signal } = request;
    signal.throwIfAborted();
    const capabilities = await tools.capabilities();
    if (capabilities.ffmpeg === null || capabilities.ffprobe === null) {
      throw new Problem(
        'encoder_missing',
        `${capabilities.missing[0]}. The operator finds out more by running \`npm run doctor\`.`,
      );
    }
    const source = await probe({ path, mediaType, maxPixels: options.maxPixels }, (args, log) =>
      tools.ffprobe(args, log, signal),
    );
    checkSource(source, options);
    request.onSource(factsOf(source, mediaType));
    return makeOutputs(request, source, capabilities, { ...options, tools });
  }

  return {
    produce(request) {
      const signal = AbortSignal.any([request.signal, closing.signal]);
      const work = produce({ ...request, signal });
      running.add(work);
      return work.finally(() => running.delete(work));
    },
    capabilities: () => tools.capabilities(),
    async close() {
      closing.abort(new Problem('shutting_down', 'The server is stopping.'));
      await Promise.allSettled(running);
    },
  };
}

/** As shown: after rotation. */
function factsOf(source: MediaProbe, mediaType: string): SourceFacts {
  const video = mainVideo(source);
  const { durationSeconds } = source;
  return {
    mediaType,
    ...(video !== null && shownSize(video)),
    ...(durationSeconds !== null && { durationSeconds }),
  };
}
