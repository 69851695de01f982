// HEIC, which sharp cannot read: decoded by libheif in WebAssembly, and handed on as a TIFF in memory.

import type { Libheif } from 'libheif-js/libheif-wasm/libheif-bundle.js';
import { workerData } from 'node:worker_threads';
import type { ImageTask, ThreadSettings } from '../src/engines/image-task.ts';
import { heifProfile } from '../src/lib/image-header/avif.ts';
import { tiffFile } from '../src/lib/tiff-file.ts';
import { Problem } from '../src/problems.ts';

/** Memory of WebAssembly only grows. An instance past so many bytes is given up and a new one made. */
const MOST_KEPT_BYTES = 256 * 1024 * 1024;

const settings = workerData as ThreadSettings;

let libheif: Libheif | undefined;

/**
 * The task with a source that sharp can read: upright as `irot` and `imir` say, with its colour profile. Tasks of
 * other types come back as they are. Blocks the thread while it decodes, as sharp's passes do; the beat shows that it
 * goes on. Throws Problem `image_unreadable` or `image_too_large`.
 */
export async function withoutHeic<Task extends ImageTask>(task: Task): Promise<Task> {
  if (task.header.mediaType !== 'image/heic') return task;
  // Two megabytes of code that few tasks need.
  libheif ??= (await import('libheif-js/libheif-wasm/libheif-bundle.js')).default();
  try {
    const { data, width, height, channels } = decode(libheif, task.source, settings.maxPixels);
    const view = new DataView(task.source.buffer, task.source.byteOffset, task.source.byteLength);
    return { ...task, source: tiffFile({ data, width, height, channels }, heifProfile(view)) };
  } catch (error) {
    // After a failure in the middle nobody knows what state it is in.
    libheif = undefined;
    if (error instanceof Problem) throw error;
    throw unreadable('it is damaged', error);
  } finally {
    if ((libheif?.HEAPU8?.byteLength ?? 0) > MOST_KEPT_BYTES) libheif = undefined;
    Atomics.add(task.beat, 0, 1);
  }
}

interface Decoded {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

function decode(heif: Libheif, file: Uint8Array, maxPixels: number): Decoded {
  const context = heif.heif_context_alloc();
  try {
    const { code, message } = heif.heif_context_read_from_memory(context, file);
    if (code !== heif.heif_error_code.heif_error_Ok) throw unreadable(message);
    const handle = heif.heif_js_context_get_primary_image_handle(context);
    if (handle === undefined || handle.code !== undefined) throw unreadable('it has no main picture');
    try {
      const pixels = heif.heif_image_handle_get_width(handle) * heif.heif_image_handle_get_height(handle);
      if (pixels > maxPixels) {
        throw new Problem(
          'image_too_large',
          'The image turned out to have more pixels than its header says, and than are allowed.',
        );
      }
      const { heif_colorspace_RGB: rgb } = heif.heif_colorspace;
      const { heif_chroma_interleaved_RGBA: rgba } = heif.heif_chroma;
      const decoded = heif.heif_js_decode_image2(handle, rgb, rgba);
      const plane = decoded?.channels?.find(({ id }) => id === heif.heif_channel.heif_channel_interleaved);
      if (plane === undefined) throw unreadable(decoded?.message ?? 'its codec is not supported');
      try {
        const hasAlpha = heif.heif_image_handle_has_alpha_channel(handle) !== 0;
        return packed(plane, hasAlpha ? 4 : 3);
      } finally {
        if (decoded?.image !== undefined) heif.heif_image_release(decoded.image);
      }
    } finally {
      heif.heif_image_handle_release(handle);
    }
  } finally {
    heif.heif_context_free(context);
  }
}

/** Rows without the gaps between them, and without an alpha that says nothing. */
function packed(
  plane: {
    readonly data: Uint8Array;
    readonly width: number;
    readonly height: number;
    readonly stride: number;
  },
  channels: 3 | 4,
): Decoded {
  const { width, height, stride, data: rows } = plane;
  const data = new Uint8Array(width * height * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * stride;
    if (channels === 4) {
      data.set(rows.subarray(row, row + width * 4), to);
      to += width * 4;
      continue;
    }
    for (let from = row; from < row + width * 4; from += 4) {
      data[to++] = rows[from]!;
      data[to++] = rows[from + 1]!;
      data[to++] = rows[from + 2]!;
    }
  }
  return { data, width, height, channels };
}

function unreadable(reason: string, cause?: unknown): Problem {
  const clean = reason.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 200);
  return new Problem(
    'image_unreadable',
    `The HEIC cannot be decoded: ${clean}. Send a whole, undamaged file, or a JPEG.`,
    cause === undefined ? {} : { cause },
  );
}
