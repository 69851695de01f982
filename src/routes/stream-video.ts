// delivery=stream: the answer to POST /v1/videos is the video itself, sent while it is encoded. No job.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { mkdir, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { join } from 'node:path';
import type { BlobStore } from '../contracts.ts';
import type { MediaFile, VideoEngine } from '../engine-contracts.ts';
import { laneFor } from '../jobs/recipe.ts';
import type { VideoOutput } from '../jobs/recipe.ts';
import type { Uploads } from '../uploads/uploads.ts';
import { openAssets } from '../jobs/video-results.ts';
import { contentDisposition } from '../lib/content-disposition.ts';
import { decisionsHeader } from '../lib/decisions-header.ts';
import { limited } from '../lib/limited-body.ts';
import { sniffing, storable } from '../lib/sniffing.ts';
import { videoAssetsOf } from '../operations/video.ts';
import { receiveFile } from '../plugins/media-body.ts';
import { Problem } from '../problems.ts';
import { clientGone } from './image-intake.ts';
import type { StreamSlots } from './stream-slots.ts';

export interface StreamIntake {
  readonly store: BlobStore;
  readonly uploads: Pick<Uploads, 'look'>;
  readonly videos: VideoEngine;
  readonly slots: StreamSlots;
  readonly maxBytes: number;
  /** Milliseconds after which a client that takes nothing of what is there is given up. */
  readonly stallMs: number;
}

/** Answers 200 with FFmpeg's first bytes; whatever fails before them is an answer of its own. */
export async function streamVideo(
  request: FastifyRequest,
  reply: FastifyReply,
  output: VideoOutput,
  intake: StreamIntake,
): Promise<FastifyReply> {
  const { store, videos, slots, stallMs } = intake;
  const signal = clientGone(reply);
  const free = slots.hold(reply);
  const stack = new AsyncDisposableStack();
  try {
    const assets = await openAssets(videoAssetsOf([output]), request.caller.tenant, intake, stack);
    const folder = stack.use(await store.scratch('stream'));
    const { source, name } = await receive(request, output, join(folder.path, 'source'), intake);
    guardStall(request, reply, stallMs);
    const scratch = join(folder.path, 'work');
    await mkdir(scratch);
    const { body, ended, mediaType, decisions, durationSeconds } = await videos.stream({
      source,
      output,
      assets,
      scratch,
      signal,
    });
    // At its beginning: nothing is left of a stream that could be charged later.
    request.chargeTenantMinutes((durationSeconds ?? 0) / 60);
    ended
      .catch((error: unknown) => {
        const { code, message } = Problem.from(error);
        // Clients leave as they like; everything else somebody should see.
        request.log[signal.aborted ? 'info' : 'warn']({ code, reason: message }, 'a stream was broken off');
      })
      .then(() => {
        // Before the answer's end: who sends one video after the other must not find the place taken.
        free();
        return stack.disposeAsync();
      })
      .catch((error: unknown) => request.log.error({ err: error }, 'the files of a stream were not removed'));
    if (request.raw.httpVersionMinor === 0) {
      // HTTP/1.0, which some proxies speak, has no chunks: there only a reset tells a break from an end.
      body.once('error', () => request.raw.socket.resetAndDestroy());
    }
    if (decisions.length > 0) void reply.header('mediamill-decisions', decisionsHeader(decisions));
    return reply
      .header('content-type', mediaType)
      .header('cache-control', 'no-store')
      .header('content-security-policy', "default-src 'none'; sandbox")
      .header('content-disposition', contentDisposition(fileName(name, mediaType), 'inline'))
      .send(body);
  } catch (error) {
    await stack.disposeAsync().finally(free);
    throw error;
  }
}

async function receive(
  request: FastifyRequest,
  output: VideoOutput,
  path: string,
  { store, maxBytes }: StreamIntake,
): Promise<{ readonly source: MediaFile; readonly name: string | null }> {
  const { result } = await receiveFile(request, {
    maxBytes,
    fieldNames: [],
    async take(file: Readable, name) {
      const sniffer = sniffing((mediaType) => void laneFor({ outputs: { video: output } }, mediaType));
      const kept = await open(path, 'wx');
      await pipeline(
        storable(file, sniffer),
        (bytes: AsyncIterable<Uint8Array>) => limited(bytes, maxBytes, () => store.free()),
        kept.createWriteStream({ highWaterMark: 1 << 20 }),
      );
      return { source: { path, mediaType: sniffer.mediaType() }, name };
    },
    // It lies in a folder that goes anyway.
    undo: async () => undefined,
  });
  return result;
}

/**
 * From here on a silent connection is given up only if its client is the one who is slow: an encoder may take minutes
 * for a second of video. Node's timer of the socket begins anew with every byte that is taken.
 */
function guardStall(request: FastifyRequest, reply: FastifyReply, stallMs: number): void {
  const { raw } = reply;
  raw.setTimeout(stallMs, () => {
    // Past what the system buffers by itself, Node holds what the client has not taken.
    if ((raw.socket?.writableLength ?? 0) === 0) return;
    request.log.info({ stallMs }, 'a stream was not read any more');
    raw.destroy();
  });
}

function fileName(name: string | null, mediaType: string): string {
  const stem = name?.replace(/\.[^.]*$/, '');
  return `${stem === undefined || stem === '' ? 'video' : stem}.${mediaType === 'video/webm' ? 'webm' : 'mp4'}`;
}
