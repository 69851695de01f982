// The CRF that reaches a likeness, by encoding short samples of the source and looking at what they have lost.

import { hash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { analysisKey } from '../../operations/video/analysis.ts';
import type { Analysis, FindingOf } from '../../operations/video/analysis.ts';
import { graphOf, outputOf } from '../../operations/video/run.ts';
import type { Run, RunInput } from '../../operations/video/run.ts';
import { bestTry, nextCrf } from '../../operations/video/quality-search.ts';
import type { Goal, Try } from '../../operations/video/quality-search.ts';
import type { Piece, StreamOptions, Take, Window } from '../../operations/video-operation.ts';
import type { AnalysisContext, Measure } from '../analyse.ts';
import { concatList, concatOptions } from '../../operations/video/concat-list.ts';
import { encodeRun } from '../encode-run.ts';
import { inputArguments } from '../ffmpeg-command.ts';
import { quietRun, saidBy } from './quiet-run.ts';

type Question = Analysis & { readonly kind: 'quality' };
type Measuring = FindingOf['quality']['measure'];

const SAMPLE_SECONDS = 2;
/** Of frames larger than 1080p: their samples are kept without loss, about a gigabyte a second. */
const LARGE_SAMPLE_SECONDS = 1;
const LARGE_PIXELS = 1920 * 1080;
/** Where samples are taken, as parts of the length: neither titles nor credits. */
const PLACES = [0.2, 0.5, 0.8];
/** A video that is shorter is its own sample. */
const WHOLE_BELOW_SECONDS = 8;
/** The search ends after so long, with what it has. */
const BUDGET_MS = 180_000;

export const searchQuality: Measure<'quality'> = async (question, context) => {
  const folder = `quality-${hash('sha256', analysisKey(question)).slice(0, 16)}`;
  const path = join(context.place.scratch, folder);
  const budget = AbortSignal.timeout(BUDGET_MS);
  const bounded = { ...context, signal: AbortSignal.any([context.signal, budget]) };
  const search = new Search(question, bounded, folder);
  await mkdir(path, { recursive: true });
  try {
    await search.run();
  } catch (error) {
    context.signal.throwIfAborted();
    context.log?.warn({ err: error }, 'the search for a quality ended early');
  } finally {
    await rm(path, { recursive: true, force: true });
  }
  return search.found();
};

/** Stretches of a video to look at. `seconds`: its length from `start` on, or null if nobody knows. */
export function samplePlaces(start: number, seconds: number | null, large: boolean): Window[] {
  const each = large ? LARGE_SAMPLE_SECONDS : SAMPLE_SECONDS;
  if (seconds === null) return [{ start, end: start + each }];
  if (seconds < WHOLE_BELOW_SECONDS && !large) return [{ start, end: start + seconds }];
  if (seconds < PLACES.length * each) return [{ start, end: start + Math.min(seconds, each) }];
  return PLACES.map((part) => {
    const from = start + Math.max(0, seconds * part - each / 2);
    return { start: from, end: from + each };
  });
}

class Search {
  readonly #question: Question;
  readonly #context: AnalysisContext;
  readonly #folder: string;
  readonly #fps: number;
  #measure: Measuring;
  #tries: Try[] = [];

  constructor(question: Question, context: AnalysisContext, folder: string) {
    const { source } = context;
    this.#question = question;
    this.#context = context;
    this.#folder = folder;
    this.#fps = Math.round((takeOf(question.picture)?.fps ?? source.video?.fps ?? 30) * 1000) / 1000;
    this.#measure = source.filters.has('libvmaf') ? 'vmaf' : 'ssim';
  }

  get #goal(): Goal {
    const { ssim, vmaf } = this.#question;
    return this.#measure === 'ssim' ? { target: ssim, perfect: 1 } : { target: vmaf, perfect: 100 };
  }

  async run(): Promise<void> {
    await this.#makeReference();
    for (;;) {
      const crf = nextCrf(this.#tries, this.#goal, this.#question.crf);
      if (crf === null) return;
      this.#tries.push({ crf, reached: await this.#try(crf) });
    }
  }

  found(): FindingOf['quality'] | undefined {
    const best = bestTry(this.#tries, this.#goal, this.#question.crf);
    if (best === null) return undefined;
    return { crf: best.crf, measure: this.#measure, reached: best.reached, tries: this.#tries.length };
  }

  /** The frames that the encoder would get, without loss. */
  async #makeReference(): Promise<void> {
    const { picture, window } = this.#question;
    const { source, place } = this.#context;
    const { width, height } = picture.expects.video?.size ?? { width: 0, height: 0 };
    const end = window.end ?? source.probe.durationSeconds;
    const large = width * height > LARGE_PIXELS;
    const places = samplePlaces(window.start, end === null ? null : end - window.start, large);
    const pixels = picture.streams.flatMap((stream) => stream.options['pix_fmt'] ?? [])[0];
    const options: StreamOptions = { c: 'ffv1', level: '3', slices: '4', ...(pixels && { pix_fmt: pixels }) };
    const times = [0];
    for (const [index, sample] of places.entries()) {
      const seconds = (sample.end ?? sample.start) - sample.start;
      const piece: Piece = {
        ...picture,
        file: `sample-${index}.mkv`,
        streams: picture.streams.map((stream) =>
          stream.kind === 'frames' ? { kind: 'frames', take: stream.take, options } : stream,
        ),
        // Never more than the bare pixels.
        maxBytes: Math.ceil(width * height * 4 * (seconds + 1) * this.#fps) + 1_000_000,
      };
      const named = { name: 'sample', folder: this.#folder, window: sample, piece };
      const graph = graphOf([named], source, sample);
      const assets = graph?.graph.assets ?? [];
      await this.#encode({
        inputs: [
          { from: 'source', seek: sample.start, seconds, options: [] },
          ...assets.map((from) => ({ from, seek: 0, seconds: null, options: [] })),
        ],
        graph: graph?.graph.text ?? null,
        outputs: [outputOf(named, graph, sample)],
      });
      // Room between them: a last frame that shows for longer must not reach into the next sample.
      times.push((times.at(-1) ?? 0) + seconds + 1);
    }
    const paths = places.map((_, index) => join(place.scratch, this.#folder, `sample-${index}.mkv`));
    await writeFile(join(place.scratch, this.#folder, 'list.txt'), concatList(paths, times));
  }

  get #reference(): RunInput {
    return {
      from: `file:${this.#folder}/list.txt`,
      seek: 0,
      seconds: null,
      options: concatOptions('matroska'),
    };
  }

  /** Encodes the samples. Resolves with what of their likeness is left. */
  async #try(crf: number): Promise<number> {
    const { picture } = this.#question;
    const file = `try-${crf}.mkv`;
    const piece: Piece = {
      ...picture,
      file,
      muxer: ['-f', 'matroska'],
      streams: picture.streams.map((stream) => {
        // MP4 names its pictures so, Matroska does not.
        const { tag: _tag, ...options } = stream.options;
        return {
          kind: 'frames',
          take: { from: 'graph', label: '[v]' },
          options: { ...options, crf: `${crf}` },
        };
      }),
    };
    const window = { start: 0, end: null };
    await this.#encode({
      inputs: [this.#reference],
      graph: `[0:v:0]${this.#even}[v]`,
      outputs: [outputOf({ name: 'sample', folder: this.#folder, window, piece }, null, window)],
    });
    const reached = await this.#compare(file);
    await rm(join(this.#context.place.scratch, this.#folder, file), { force: true });
    return reached;
  }

  /** The samples' frames one after the other, whatever times they had. */
  get #even(): string {
    return `setpts=N/${this.#fps}/TB`;
  }

  async #compare(file: string): Promise<number> {
    const text = await this.#look(file, this.#measure === 'ssim' ? 'ssim' : 'libvmaf=n_threads=2');
    const reached = text === undefined ? undefined : readLikeness(text, this.#measure);
    if (reached !== undefined) return reached;
    if (this.#measure === 'ssim' || this.#tries.length > 0)
      throw new Error('the likeness could not be measured');
    // A libvmaf without its model.
    this.#measure = 'ssim';
    return this.#compare(file);
  }

  #look(file: string, filter: string): Promise<string | undefined> {
    const even = this.#even;
    return quietRun(this.#context, {
      input: {
        from: `file:${this.#folder}/${file}`,
        seek: 0,
        seconds: null,
        options: ['-protocol_whitelist', 'file', '-f', 'matroska'],
      },
      output: [
        ...inputArguments(this.#reference, this.#context.place),
        '-filter_complex',
        `[0:v:0]${even}[a];[1:v:0]${even}[b];[a][b]${filter}`,
        ...['-f', 'null', '-'],
      ],
    });
  }

  async #encode(run: Pick<Run, 'inputs' | 'graph' | 'outputs'>): Promise<void> {
    const rest = { expectedSeconds: null, weight: 0, fallback: null };
    await encodeRun({ ...run, ...rest }, this.#context, () => undefined);
  }
}

function takeOf({ streams }: Piece): (Take & { readonly from: 'picture' }) | null {
  for (const stream of streams) {
    if (stream.kind === 'frames' && stream.take.from === 'picture') return stream.take;
  }
  return null;
}

/** From what the filter printed; undefined if it printed no figure. */
export function readLikeness(text: string, measure: Measuring): number | undefined {
  const pattern = measure === 'ssim' ? /^SSIM .* All:(\d\.\d+)/ : /^VMAF score: (\d{1,3}(?:\.\d+)?)/;
  const found = saidBy(measure === 'ssim' ? 'ssim' : 'libvmaf', text)
    .map((said) => pattern.exec(said)?.[1])
    .findLast((figure) => figure !== undefined);
  return found === undefined ? undefined : Number(found);
}
