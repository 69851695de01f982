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
import { requireEncoders } from './require-encoders.ts';
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
): Promise<Started> {
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

type Started = Omit<VideoStreaming, 'durationSeconds'>;

interface Planned {
  readonly part: OutputPart;
  readonly piece: Piece;
  readonly preparations: readonly Run[];
  readonly run: Run;
  /** What is to come of the source at its end. */
  readonly rest: Rest;
  readonly decisions: readonly string[];
}

function plan(output: VideoOutput, source: Source, capabilities: Capabilities): Planned {
  const whole = planOutput(output, source);
  const piece = streamed(whole);
  const part = { ...whole, pieces: [piece] };
  requireEncoders({ [NAME]: part }, capabilities);
  const { run, preparations } = runsOf(part, source);
  const outputs = run.outputs.map((output) => ({ ...output, file: STDOUT }));
  return {
    part,
    piece,
    preparations,
    run: { ...run, outputs },
    rest: restOf(piece, source),
    decisions: part.decisions,
  };
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
async function start({ piece, run, rest, decisions }: Planned, context: RunContext): Promise<Started> {
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

  const ended = encode({ run, piece, rest }, body, () => (head === null ? bytes : 0), {
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
  { run, piece, rest }: Pick<Planned, 'run' | 'piece' | 'rest'>,
  body: Transform,
  /** Bytes; none as long as they are no media. */
  written: () => number,
  { tools, place, timeoutSeconds, signal, log: logger }: RunContext,
): Promise<void> {
  const log = new FfmpegLog();
  const reached: Reached = { seconds: null, frames: 0 };
  const reader = new ProgressReader(({ outSeconds, frames }) => {
    reached.seconds = outSeconds ?? reached.seconds;
    reached.frames = frames ?? reached.frames;
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
  const fault = faultOf({ piece, rest }, written(), reached, damage);
  if (fault !== null) throw broken(NAME, fault, damage);
  if (damage !== null) logger?.warn({ damage }, 'the source of a stream has faults');
}

interface Reached {
  /** Where the last packet begins. */
  seconds: number | null;
  frames: number;
}

/** What may still be missing of a whole stream when its last packet is known. */
interface Rest {
  /** How long it may last after that packet's time. */
  readonly seconds: number;
  /** With so many frames nothing is missing, however long the last one stays. Null where they cannot be counted. */
  readonly frames: number | null;
}

/** FFmpeg tells the time at which a packet is decoded: a few frames before it is shown, and then it stays for one more. */
const LAST_FRAMES = 4;

function restOf({ streams }: Piece, { video, probe }: Source): Rest {
  const asked = streams.map((stream) =>
    stream.kind === 'frames' && stream.take.from === 'picture' ? stream.take.fps : null,
  );
  const rates = [video?.fps ?? null, ...asked].filter((rate): rate is number => rate !== null && rate > 0);
  const isCopied = streams.some(({ kind, options }) => kind === 'video' && options['c'] === 'copy');
  return {
    seconds: rates.length === 0 ? (probe.durationSeconds ?? 0) : LAST_FRAMES / Math.min(...rates),
    // An encoder of FFmpeg 5 forgets how long its last frame stays; its frames alone prove nothing.
    frames: isCopied ? (video?.frames ?? null) : null,
  };
}

/** What is wrong with a stream that FFmpeg ended well. Nobody can look at the result any more. */
function faultOf(
  { piece: { expects, maxBytes }, rest }: Pick<Planned, 'piece' | 'rest'>,
  bytes: number,
  reached: Reached,
  damage: string | null,
): string | null {
  if (bytes === 0) return 'it is empty';
  // There `-fs` ends it, as if that were its end.
  if (bytes >= maxBytes) return 'it grew past any sensible size';
  const { durationSeconds, durationIsExact } = expects;
  const { seconds, frames } = reached;
  if (durationSeconds === null || seconds === null || !durationIsExact || damage !== null) return null;
  if (rest.frames !== null && frames >= rest.frames) return null;
  const isShort = durationSeconds - seconds > tolerance(durationSeconds) + rest.seconds;
  return isShort ? `it ends after ${seconds.toFixed(1)} s of ${durationSeconds.toFixed(1)} s` : null;
}
