// Measures the coefficients of the model against the real parts: what one of each thing costs.

import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { rung } from '../bare-encode.ts';
import { JobClient, workSeconds } from '../job-client.ts';
import { check } from '../check.ts';
import { makeClip, makePhoto } from '../media.ts';
import type { PhotoShape } from '../media.ts';
import type { Context } from '../scenario.ts';
import { median } from '../statistics.ts';
import { keepBusy } from './busy.ts';
import type { Busy } from './busy.ts';
import { FleetClient } from './client.ts';
import { less, spending, sum, times, typical } from './cost.ts';
import type { Cost, Watched } from './cost.ts';
import type { Coefficients } from './model.ts';
import { openSite } from './site.ts';
import type { FleetSite } from './site.ts';

export interface MeasureSettings {
  readonly rounds: number;
  /** Of a look at a fleet that idles. */
  readonly seconds: number;
  /** Jobs, polls and renditions of a round. */
  readonly images: number;
  readonly photo: PhotoShape;
  /** Jobs of the queue alone, to see Redis at work. */
  readonly busyJobs: number;
  /** Lengths in seconds of the two clips, and lines: by their difference a second of work is known. */
  readonly clips: readonly [short: number, long: number];
  readonly lines: readonly [from: number, to: number];
  /** Streams of events on one process, beside a single one. */
  readonly streams: number;
}

export interface Measured extends Coefficients {
  /** The parts of an image job. */
  readonly accepted: Cost;
  readonly fetched: Cost;
  readonly removed: Cost;
  /** An image by POST. */
  readonly direct: Cost;
  /** As `followed`, with so many streams on the process. */
  readonly followedByMany: Cost;
  readonly eventsPerJob: number;
  /** Commands of one accepted and waited-for image job, by name, the most frequent first. */
  readonly calls: readonly (readonly [name: string, count: number])[];
  /** Its requests to the store, by kind. */
  readonly kinds: Measured['calls'];
  readonly media: readonly string[];
  /** Of the last minute, when it began. */
  readonly loadAverage: number;
  readonly busy: Busy;
  /** Redis' seconds of an image job, round by round. */
  readonly perRound: readonly number[];
}

/** Takes what idles away from what was spent, and gives the cost of one. */
type Each = (count: number, work: () => Promise<unknown>) => Promise<Cost>;

export async function measure(settings: MeasureSettings, context: Context): Promise<Measured> {
  const { rounds, seconds, images, photo: shape, streams } = settings;
  const { signal, progress } = context;
  const [loadAverage = 0] = loadavg();
  const photo = await makePhoto(context.folder, shape);
  const bytes = new Uint8Array(await readFile(photo.path));
  await using site = await openSite(context);
  const { idle, connections, watched, address, stop } = await idling(site, seconds, context);
  const each: Each = async (count, work) => {
    const { cost, seconds: took } = await spending(watched, work);
    return times(less(cost, times(idle.one, took)), 1 / count);
  };
  const client = new FleetClient(address, signal);
  const finished = (count: number): ReturnType<FleetClient['jobs']> =>
    settled(site, count, signal, () => client.jobs(count, bytes));
  const round = async () => {
    let jobs: Awaited<ReturnType<FleetClient['jobs']>> = [];
    const before = await counted();
    const accepted = await each(images, async () => (jobs = await finished(images)));
    const after = await counted();
    const polled = await each(images, () => client.polled(jobs[0]!.id, images));
    const fetched = await each(images, () => client.fetched(jobs));
    const removed = await each(images, () => client.removed(jobs));
    const direct = await each(images, () => client.images(images, bytes));
    const one = await following(1);
    const many = await following(streams);
    return { before, after, polled, accepted, fetched, removed, direct, one, many };
  };
  const counted = async (): Promise<Record<'calls' | 'kinds', Counts>> => ({
    calls: (await site.redis.read()).calls,
    kinds: site.s3.passed().requests,
  });
  /** What image jobs cost in all where so many follow their events. */
  async function following(count: number) {
    await using stream = await client.follow(count);
    let jobs: Awaited<ReturnType<FleetClient['jobs']>> = [];
    const cost = await each(images, async () => (jobs = await finished(images)));
    const events = stream.events() / images;
    await client.removed(jobs);
    return { cost, events };
  }

  progress.step('warming up');
  await client.removed(await finished(images));
  const all: Awaited<ReturnType<typeof round>>[] = [];
  for (let at = 0; at < rounds; at++) {
    signal.throwIfAborted();
    progress.step(`round ${at + 1} of ${rounds}`, at, rounds);
    all.push(await round());
  }
  const usual = (of: (each: (typeof all)[number]) => Cost): Cost => typical(all.map(of), median);
  const last = all.at(-1)!;
  const accepted = usual((each) => each.accepted);
  const fetched = usual((each) => each.fetched);
  const removed = usual((each) => each.removed);
  progress.step('videos');
  const videos = await ofVideos(settings, context, { site, address, each });
  await stop();
  progress.step('a busy Redis');
  const busy = await keepBusy(site.redisUrl, site.redis, settings.busyJobs);
  return {
    busy,
    idleProcess: idle.process,
    ...connections,
    image: sum(accepted, fetched, removed),
    ...videos,
    poll: usual(({ polled }) => polled),
    followed: less(
      usual(({ one }) => one.cost),
      accepted,
    ),
    accepted,
    fetched,
    removed,
    direct: usual(({ direct }) => direct),
    followedByMany: less(
      usual(({ many }) => many.cost),
      accepted,
    ),
    eventsPerJob: median(all.map(({ one }) => one.events)),
    calls: perOne(last.after.calls, last.before.calls, images).filter(([name]) => name !== 'info'),
    kinds: perOne(last.after.kinds, last.before.kinds, images),
    loadAverage,
    media: [photo.description, videos.description],
    perRound: all.map(
      (each) => each.accepted.redisSeconds + each.fetched.redisSeconds + each.removed.redisSeconds,
    ),
  };
}

/** Milliseconds after which a source that is still there is a mistake. */
const SETTLED_MS = 30_000;

/**
 * Makes so many jobs and waits until each has removed its source. A fleet does that seconds after the end: it belongs to these
 * jobs, and not to whatever is measured next.
 */
async function settled<T>(
  { s3 }: FleetSite,
  jobs: number,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const requests = (): Counts => s3.passed().requests;
  const deleted = (): number => requests()['DELETE'] ?? 0;
  const all = deleted() + jobs;
  const result = await work();
  const deadline = performance.now() + SETTLED_MS;
  // What else is looked for follows the removal.
  for (let quiet = 0; deleted() < all || quiet < 3; quiet++) {
    check(performance.now() < deadline, `the sources of ${jobs} job(s) were not removed after their end`);
    const before = total(requests());
    await delay(100, undefined, { signal });
    if (total(requests()) !== before) quiet = -1;
  }
  return result;
}

function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

type Counts = Readonly<Record<string, number>>;

/** What there is more of, for one of `count`, the most frequent first. */
function perOne(after: Counts, before: Counts, count: number): (readonly [name: string, count: number])[] {
  return Object.entries(after)
    .map(([name, all]) => [name, (all - (before[name] ?? 0)) / count] as const)
    .filter(([, each]) => each >= 0.1)
    .toSorted(([, one], [, other]) => other - one);
}

interface Idling {
  /** Of a second: the first host, of one process; a process of whatever host. */
  readonly idle: { readonly one: Cost; readonly process: Cost };
  readonly connections: Pick<Coefficients, 'connectionsHost' | 'connectionsProcess'>;
  /** The first host, which stays. */
  readonly watched: Watched;
  readonly address: string;
  readonly stop: () => Promise<void>;
}

/** A host of one process, and beside it one of two: of connections, two equations for two unknowns. */
async function idling(site: FleetSite, seconds: number, { signal, progress }: Context): Promise<Idling> {
  const { redis, s3 } = site;
  const rest = async (servers: readonly number[]): Promise<Cost> => {
    progress.step(`looking at ${servers.length} host(s) that idle`);
    const { cost, seconds: took } = await spending({ redis, s3, servers }, () =>
      delay(seconds * 1000, undefined, { signal }),
    );
    return times(cost, 1 / took);
  };
  const first = await site.start(1);
  try {
    const one = await rest([first.pid]);
    const { connections: few } = await redis.read();
    await using second = await site.start(2);
    const both = await rest([first.pid, second.pid]);
    const { connections: many } = await redis.read();
    await second.stop();
    const connectionsProcess = many - 2 * few;
    return {
      idle: { one, process: times(both, 1 / 3) },
      connections: { connectionsProcess, connectionsHost: few - connectionsProcess },
      watched: { redis, s3, servers: [first.pid] },
      address: first.address,
      stop: () => first.stop(),
    };
  } catch (error) {
    await first.stop().catch(() => undefined);
    throw error;
  }
}

/** A short and a long clip: what does not grow with the seconds of work is the job's, the rest the second's. */
async function ofVideos(
  { clips, lines: [from, to] }: MeasureSettings,
  context: Context,
  { site, address, each }: { readonly site: FleetSite; readonly address: string; readonly each: Each },
): Promise<Pick<Coefficients, 'video' | 'running'> & { readonly description: string }> {
  const client = new JobClient(address, context.signal);
  const fleet = new FleetClient(address, context.signal);
  const run = async (seconds: number) => {
    const clip = await makeClip(context.folder, { seconds, height: from }, context.signal);
    let worked = 0;
    const cost = await each(1, async () => {
      const job = await settled(site, 1, context.signal, () => client.run(clip.path, { video: rung(to) }));
      worked = workSeconds(job);
      await fleet.fetched([job]);
      await fleet.removed([job]);
    });
    return { cost, worked, description: clip.description };
  };
  const short = await run(clips[0]);
  const long = await run(clips[1]);
  const running = times(less(long.cost, short.cost), 1 / Math.max(0.1, long.worked - short.worked));
  // Requests and bytes of the store grow with the file, not with the time that its encoding takes.
  const perSecond = { ...running, s3Requests: 0, s3Writes: 0, s3In: 0, s3Out: 0, serverSeconds: 0 };
  const { s3Requests, s3Writes, s3In, s3Out } = long.cost;
  return {
    running: perSecond,
    video: { ...less(short.cost, times(perSecond, short.worked)), s3Requests, s3Writes, s3In, s3Out },
    description: `${long.description}, to ${to} lines`,
  };
}
