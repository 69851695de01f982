// VideoEngine by FFmpeg: probe, plan, run, check. What runs is stopped by an abort and by `close`.

import { availableParallelism } from 'node:os';
import type { MediaFile, SourceFacts, VideoEngine, VideoStreaming } from '../engine-contracts.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { mainAudio, mainVideo } from '../operations/media-probe.ts';
import type { MediaProbe } from '../operations/media-probe.ts';
import { analysesOf, planOutputs } from '../operations/video.ts';
import type { Asset, Source } from '../operations/video-operation.ts';
import { NO_FINDINGS } from '../operations/video/analysis.ts';
import { shownSize } from '../operations/video/geometry.ts';
import { workSeconds } from '../operations/video/work.ts';
import { Problem } from '../problems.ts';
import { analyse } from './analyse.ts';
import { encodeChunkPart } from './chunk-part.ts';
import type { ChunkRequest } from './chunk-part.ts';
import { chunkKind } from './chunk-share.ts';
import type { RunContext } from './encode-run.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import type { RunPlace } from './ffmpeg-command.ts';
import { FfmpegTools } from './ffmpeg-tools.ts';
import { makeOutputs } from './make-outputs.ts';
import type { ProduceRequest, Produced } from './making.ts';
import { measureDuration } from './measure-duration.ts';
import { probe } from './probe.ts';
import { checkLength, checkMeasured, checkSource } from './source-bounds.ts';
import { streamOutput } from './stream-output.ts';
import type { StreamRequest } from './stream-output.ts';

export interface VideoEngineOptions {
  readonly ffmpegPath: string;
  readonly ffprobePath: string;
  /** Longest source. */
  readonly maxSeconds: number;
  /** Most pixels of one frame. */
  readonly maxPixels: number;
  /** Wall clock of one FFmpeg run. */
  readonly timeoutSeconds: number;
  /** That encoders may use; as many as there are. */
  readonly cores?: number;
  /** False: every output is encoded in one piece. */
  readonly chunks?: boolean;
  readonly log?: Pick<Logger, 'debug' | 'warn'>;
  /** Counts the runs. */
  readonly metrics?: Pick<Metrics, 'ffmpegBegins' | 'mediaSeconds'>;
  /** Milliseconds, for estimates. */
  readonly now?: () => number;
}

interface Opening extends Omit<StreamRequest, 'output'> {
  readonly outputs: ProduceRequest['outputs'];
  readonly onSource?: (facts: SourceFacts) => void;
  readonly chunks?: unknown;
  readonly share?: unknown;
}

interface Opened {
  readonly source: Source;
  readonly capabilities: Capabilities;
  readonly context: RunContext;
}

/** Starts nothing until it is asked for something. */
export function createVideoEngine(options: VideoEngineOptions): VideoEngine {
  const tools = new FfmpegTools(options);
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();

  /** What work on a source needs: its facts, where its files are, what this FFmpeg can. */
  async function open({ signal, scratch, ...request }: Opening): Promise<Opened> {
    signal.throwIfAborted();
    const capabilities = await tools.capabilities();
    if (capabilities.ffmpeg === null || capabilities.ffprobe === null) {
      throw new Problem(
        'encoder_missing',
        `${capabilities.missing[0]}. The operator finds out more by running \`npm run doctor\`.`,
      );
    }
    const files = request.assets ?? new Map<string, MediaFile>();
    const { maxPixels, maxSeconds, timeoutSeconds, log } = options;
    const place: RunPlace = {
      source: request.source,
      assets: files,
      scratch,
      maxPixels,
      maxSeconds,
    };
    const probed = await timed('source', await look(request.source, signal), place, signal);
    request.onSource?.(factsOf(probed, request.source.mediaType));
    const assets = new Map<string, Asset>();
    for (const [reference, file] of files) {
      const found = await look(file, signal);
      const { mediaType } = file;
      // A picture has no length.
      const isPicture = mediaType.startsWith('image/') && mediaType !== 'image/gif';
      assets.set(reference, {
        mediaType,
        probe: isPicture ? found : await timed(reference, found, place, signal),
      });
    }
    const source: Source = {
      probe: probed,
      mediaType: request.source.mediaType,
      video: mainVideo(probed),
      audio: mainAudio(probed),
      filters: capabilities.filters,
      hardware: wantsHardware(request.outputs) ? await tools.hardware() : new Set(),
      cores: options.cores ?? availableParallelism(),
      mayCopy: true,
      mayChunk: options.chunks !== false && request.chunks !== undefined,
      sharesChunks: request.share !== undefined,
      findings: NO_FINDINGS,
      assets,
    };
    const context: RunContext = { tools, place, timeoutSeconds, signal, ...(log && { log }) };
    return { source, capabilities, context };
  }

  async function produce(request: ProduceRequest): Promise<Produced> {
    const { source, capabilities, context } = await open(request);
    const outputs = Object.entries(request.outputs);
    const parts = planOutputs(request.outputs, source);
    checkLength(parts, options);
    request.onWork?.(
      workSeconds(parts, {
        fps: source.video?.fps ?? null,
        durationSeconds: source.probe.durationSeconds,
      }),
    );
    const findings = await analyse(
      outputs.flatMap(([, output]) => analysesOf(output, source)),
      { ...context, source },
    );
    return makeOutputs(request, { ...source, findings }, context.place, capabilities, { ...options, tools });
  }

  async function stream(request: StreamRequest): Promise<VideoStreaming> {
    const { source, capabilities, context } = await open({ ...request, outputs: { video: request.output } });
    const findings = await analyse(analysesOf(request.output, source), { ...context, source });
    const started = await streamOutput(request, { ...source, findings }, capabilities, context);
    return { ...started, durationSeconds: source.probe.durationSeconds };
  }

  async function encodeChunk(request: ChunkRequest): Promise<void> {
    // Of the others it needs neither files nor hardware.
    const wanted = Object.entries(request.outputs).filter(([name]) => request.task.outputs.includes(name));
    const { source, capabilities, context } = await open({ ...request, outputs: {} });
    const kind = chunkKind(capabilities) ?? '';
    await encodeChunkPart({ ...request, outputs: Object.fromEntries(wanted) }, source, kind, context);
  }

  function count<T>(work: Promise<T>): Promise<T> {
    running.add(work);
    return work.finally(() => running.delete(work));
  }

  /** With its duration, whether the file says it or not. */
  async function timed(
    from: string,
    found: MediaProbe,
    place: RunPlace,
    signal: AbortSignal,
  ): Promise<MediaProbe> {
    if (found.durationSeconds !== null) return found;
    const durationSeconds = await measureDuration(from, tools, place, signal);
    checkMeasured(durationSeconds, options);
    return { ...found, durationSeconds };
  }

  /** What a file is. Rejects what may not be worked on. */
  async function look({ path, mediaType }: MediaFile, signal: AbortSignal): Promise<MediaProbe> {
    const found = await probe({ path, mediaType, maxPixels: options.maxPixels }, (args, log) =>
      tools.ffprobe(args, log, signal),
    );
    checkSource(found, options);
    return found;
  }

  return {
    produce(request) {
      const signal = AbortSignal.any([request.signal, closing.signal]);
      return count(produce({ ...request, signal }));
    },
    async stream(request) {
      const signal = AbortSignal.any([request.signal, closing.signal]);
      const streaming = await count(stream({ ...request, signal }));
      count(streaming.ended).catch(() => undefined);
      return streaming;
    },
    encodeChunk(request) {
      const signal = AbortSignal.any([request.signal, closing.signal]);
      return count(encodeChunk({ ...request, signal }));
    },
    chunkKind: async () => (options.chunks === false ? null : chunkKind(await tools.capabilities())),
    capabilities: () => tools.capabilities(),
    async close() {
      closing.abort(new Problem('shutting_down', 'The server is stopping.'));
      await Promise.allSettled(running);
    },
  };
}

/** It is looked for, which takes a moment, only where somebody asks for it. */
function wantsHardware(outputs: ProduceRequest['outputs']): boolean {
  return Object.values(outputs).some((output) => 'hardware' in output && output.hardware !== 'off');
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
