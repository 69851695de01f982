// Encodes one output into a pipe: its bytes go out while it is made, and its end is clean only if it is whole.

import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import type { VideoEngine, VideoStreaming } from '../engine-contracts.ts';
import type { OutputPart, Piece, Source } from '../operations/video-operation.ts';
import { planOutput } from '../operations/video.ts';
import type { VideoOutput } from '../operations/video.ts';
import { planRuns } from '../operations/video/plan.ts';
import type { Run } from '../operations/video/run.ts';
import { copiesHalf, rehearsal, streamed, withoutHalf } from '../operations/video/streaming.ts';
import { Problem } from '../problems.ts';
import { CopyFault, encodeRun } from './encode-run.ts';
import type { RunContext } from './encode-run.ts';
import type { Capabilities } from './ffmpeg-capabilities.ts';
import { ffmpegArguments, STDOUT } from './ffmpeg-command.ts';
import { damageIn, failureOf } from './ffmpeg-failure.ts';
import { FfmpegLog } from './ffmpeg-log.ts';
import { ProgressReader } from './ffmpeg-progress.ts';
import { requireEncoders } from './make-outputs.ts';
import { broken, tolerance } from './verify.ts';

export type StreamRequest = Parameters<VideoEngine['stream']>[0];

/** The output's name, in decisions and problems. */
const NAME = 'video';

/** Plans it, tries what is to be copied, and starts. Settles as `VideoEngine.stream` does. */
export async function streamOutput(
  { output }: Pick<StreamRequest, 'output'>,
  source: Source,
  capabilities: Capabilities,
  context: RunContext,
): Promise<VideoStreaming> {
  const plain = { ...source, mayCopy: false };
  const first = plan(output, source, capabilities);
  const isHalf = copiesHalf(first.piece);
  const planned = isHalf ? plan(output, plain, capabilities) : first;
  for (const run of planned.preparations) await encodeRun(run, context, () => undefined);
  const copied = rehearsal(planned.piece);
  if (copied === null) {
    return start(isHalf ? { ...planned, decisions: withoutHalf(planned.decisions) } : planned, context);
  }
  try {
    await rehearse(runsOf({ ...planned.part, pieces: [copied] }, source).run, context);
  } catch (error) {
    if (!(error instanceof CopyFault)) throw error;
    context.log?.warn({ reason: error.message }, 'a copy would come out broken, encoding instead');
    return start(plan(output, plain, capabilities), context);
  }
  return start(planned, context);
}

interface Planned {
  readonly part: OutputPart;
  readonly piece: Piece;
  readonly preparations: readonly Run[];
  readonly run: Run;
  readonly decisions: readonly string[];
}

function plan(output: VideoOutput, source: Source, capabilities: Capabilities): Planned {
  const whole = planOutput(output, source);
  const piece = streamed(whole);
  const part = { ...whole, pieces: [piece] };
  requireEncoders({ [NAME]: part }, capabilities);
  const { run, preparations } = runsOf(part, source);
  const outputs = run.outputs.map((output) => ({ ...output, file: STDOUT }));
  return { part, piece, preparations, run: { ...run, outputs }, decisions: part.decisions };
}

function runsOf(part: OutputPart, source: Source): Pick<Planned, 'run' | 'preparations'> {
  const { runs, preparations } = planRuns({ [NAME]: part }, source);
  const [run] = runs;
  if (run === undefined || runs.length > 1) throw new Error('a stream is made by one run');
  return { run, preparations };
}

async function rehearse(run: Run, context: RunContext): Promise<void> {
  const log = await encodeRun(run, context, () => undefined);
  const damage = log === null ? null : damageIn(log, []);
  if (damage !== null) throw new CopyFault(damage);
}

/** What stands before the first media: a `moof` box of MP4, a Cluster of Matroska (RFC 9559, 5.1.3). */
const MEDIA: Readonly<Record<string, Buffer>> = {
  'video/mp4': Buffer.from('moof'),
  'video/webm': Buffer.from('1f43b675', 'hex'),
};

/** No honest header is longer. */
const HEAD_BYTES = 64 * 1024;

/** Resolves with the first media: a header alone is no video yet. Rejects if FFmpeg ends before. */
async function start({ piece, run, decisions }: Planned, context: RunContext): Promise<VideoStreaming> {
  const stop = new AbortController();
  const begun = Promise.withResolvers<void>();
  const judged = Promise.withResolvers<void>();
  const mark = MEDIA[piece.mediaType] ?? Buffer.alloc(0);
  let bytes = 0;
  let head: Buffer | null = Buffer.alloc(0);
  const body = new Transform({
    readableHighWaterMark: 2 * HEAD_BYTES,
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.length;
      if (head !== null) {
        head = Buffer.concat([head, chunk]);
        if (head.includes(mark) || head.length > HEAD_BYTES) {
          head = null;
          begun.resolve();
        }
      }
      done(null, chunk);
    },
    // FFmpeg closes its pipe before it is known why: the end has to wait for that.
    flush(done) {
      // oxlint-disable-next-line promise/no-callback-in-promise -- a stream's own way to be told.
      judged.promise.then(() => done(), done);
    },
  });
  // Whoever reads it listens as well; an error before anybody does must not end the process.
  body.on('error', () => undefined);
  body.once('close', () =>
    stop.abort(new Problem('upload_incomplete', 'The video was not read to its end.')),
  );

  const ended = encode(run, piece, body, () => (head === null ? bytes : 0), {
    ...context,
    signal: AbortSignal.any([context.signal, stop.signal]),
  });
  ended.then(judged.resolve, (error: Error) => {
    judged.reject(error);
    body.destroy(error);
  });
  judged.promise.catch(() => undefined);
  await Promise.race([begun.promise, ended]);
  return { mediaType: piece.mediaType, decisions, body, ended };
}

/** Resolves when FFmpeg has ended and everything was written; rejects with why it is not whole. */
async function encode(
  run: Run,
  piece: Piece,
  body: Transform,
  /** Bytes; none as long as they are no media. */
  written: () => number,
  { tools, place, timeoutSeconds, signal, log: logger }: RunContext,
): Promise<void> {
  const log = new FfmpegLog();
  let reached: number | null = null;
  const reader = new ProgressReader(({ outSeconds }) => {
    reached = outSeconds ?? reached;
  });
  const end = await tools.ffmpeg({
    args: ffmpegArguments(run, place),
    scratch: place.scratch,
    fileBytes: 2 * piece.maxBytes,
    signal,
    log,
    onProgress: (text) => reader.feed(text),
    onStdout: (stdout: Readable) => void stdout.pipe(body),
  });
  const problem = failureOf(end, log, { timeoutSeconds, hide: [STDOUT] });
  if (problem !== null) throw problem;
  const damage = damageIn(log, [STDOUT]);
  const fault = faultOf(piece, written(), reached, damage);
  if (fault !== null) throw broken(NAME, fault, damage);
  if (damage !== null) logger?.warn({ damage }, 'the source of a stream has faults');
}

/** What is wrong with a stream that FFmpeg ended well. Nobody can look at the result any more. */
function faultOf(
  { expects, maxBytes }: Piece,
  bytes: number,
  reached: number | null,
  damage: string | null,
): string | null {
  if (bytes === 0) return 'it is empty';
  // There `-fs` ends it, as if that were its end.
  if (bytes >= maxBytes) return 'it grew past any sensible size';
  const { durationSeconds, durationIsExact } = expects;
  if (durationSeconds === null || reached === null || !durationIsExact || damage !== null) return null;
  const isShort = durationSeconds - reached > tolerance(durationSeconds);
  return isShort ? `it ends after ${reached.toFixed(1)} s of ${durationSeconds.toFixed(1)} s` : null;
}
