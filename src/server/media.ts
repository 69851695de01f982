// What images and videos are made with, and where their sources come from.

import type { ImageEngine, SourceReader, VideoEngine } from '../engine-contracts.ts';
import { createVideoEngine } from '../engines/ffmpeg.ts';
import { createImagePool } from '../engines/image-pool.ts';
import { withJpegXl } from '../engines/jpeg-xl.ts';
import { withAssets } from '../jobs/assets.ts';
import { createSafeFetch } from '../lib/safe-fetch.ts';
import type { RemoteRules } from '../lib/safe-fetch.ts';
import { createSourceReader } from '../stores/source-reader.ts';
import { openUploads } from '../uploads/open-uploads.ts';
import type { OpenUploads } from '../uploads/open-uploads.ts';
import type { Backends } from './backends.ts';
import type { Life } from './life.ts';

export interface Media {
  readonly uploads: OpenUploads;
  readonly sources: SourceReader;
  readonly images: ImageEngine;
  readonly videos: VideoEngine;
  /** What may be fetched by URL. */
  readonly rules: RemoteRules;
}

/** `purge` forgets what was made of a source, on all machines. */
export async function openMedia(
  life: Life,
  { store, records, meters, hints }: Backends,
  purge: (source: string) => Promise<void>,
): Promise<Media> {
  const { config, stack, meter, log } = life;
  const { metrics } = meter;
  const uploads = openUploads({
    store,
    records,
    hints,
    purge,
    limits: { imageMaxBytes: config.IMAGE_MAX_BYTES, videoMaxBytes: config.VIDEO_MAX_BYTES },
    ttlSeconds: config.UPLOAD_TTL_SECONDS,
    partTtlSeconds: config.UPLOAD_PART_TTL_SECONDS,
    open: { meters, most: config.TENANT_OPEN_UPLOADS },
    onError: (error, uploadId) => log.error({ err: error, uploadId }, 'an upload could not be put together'),
  });
  stack.defer(() => uploads.close());
  const rules = { isAllowed: config.REMOTE_SOURCES ?? (() => false), ...life.remote };
  const sources = createSourceReader({ store, uploads: uploads.uploads, fetch: createSafeFetch(rules) });

  const pool = createImagePool({
    threads: config.IMAGE_THREADS,
    queue: config.IMAGE_QUEUE,
    maxPixels: config.IMAGE_MAX_PIXELS,
    maxFrames: config.IMAGE_MAX_FRAMES,
    allowSvg: config.ALLOW_SVG,
    memoryBytes: config.IMAGE_MEMORY_BYTES,
    deadlineSeconds: config.IMAGE_DEADLINE_SECONDS,
    hints,
    onOverrun: life.onOverrun,
    log,
  });
  stack.defer(() => pool.close());
  const decoding = withJpegXl(pool, {
    ffmpegPath: config.FFMPEG_PATH,
    ffprobePath: config.FFPROBE_PATH,
    maxPixels: config.IMAGE_MAX_PIXELS,
    deadlineSeconds: config.IMAGE_DEADLINE_SECONDS,
    queue: config.IMAGE_QUEUE,
    scratch: (name) => store.scratch(name),
    metrics,
  });
  const images = meter.images(withAssets(decoding, sources, { maxBytes: config.IMAGE_MAX_BYTES }));

  const videos = createVideoEngine({
    ffmpegPath: config.FFMPEG_PATH,
    ffprobePath: config.FFPROBE_PATH,
    maxSeconds: config.VIDEO_MAX_SECONDS,
    maxPixels: config.VIDEO_MAX_PIXELS,
    timeoutSeconds: config.VIDEO_TIMEOUT_SECONDS,
    chunks: config.VIDEO_CHUNKS === 'auto',
    metrics,
    log,
  });
  stack.defer(() => videos.close());
  // What this FFmpeg can do is asked while the process starts, so that the first job need not.
  await videos.capabilities();
  return { uploads, sources, images, videos, rules };
}
