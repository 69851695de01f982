// Files on their way to the server: resumable, a few at once, each with its progress; then as sources of jobs.

import type { Upload } from 'tus-js-client';
import { ApiProblem, messageOf } from './api.ts';
import type { Api } from './api.ts';

export interface Transfer {
  readonly key: number;
  readonly file: File;
  /** `refused`: the server does not take this file, however often it is sent. */
  status: 'waiting' | 'sending' | 'paused' | 'sent' | 'failed' | 'refused';
  sentBytes: number;
  /** Bytes per second, of the last moments. */
  rate: number;
  /** Of the finished upload. */
  uploadId: string | undefined;
  /** What the browser says that it is; once it is on the server, what its bytes say. */
  mediaType: string | undefined;
  problem: string | undefined;
  /** Of the job made of it. */
  jobId: string | undefined;
}

export interface Transfers {
  list(): readonly Transfer[];
  /** Adds files and starts to send them. */
  add(files: readonly File[]): void;
  pause(transfer: Transfer): void;
  resume(transfer: Transfer): void;
  /** Takes it from the list; what was sent of it is removed from the server, unless a job was made of it. */
  remove(transfer: Transfer): void;
  /** Stops and forgets all of them, and where they were to be resumed: whoever comes next is somebody else. */
  clear(): void;
  onChange(listener: () => void): () => void;
  /** The file that a job was made of in this tab: what its results are compared with. */
  sourceOf(jobId: string): File | undefined;
}

/** Under keys that begin so, tus-js-client keeps in localStorage where an upload can be resumed. */
const RESUMABLE = 'tus::';
const AT_ONCE = 3;
const RETRY_DELAYS_MS = [0, 1000, 3000, 5000, 10_000, 20_000];
/** What is sent by one request. A pause, or a broken line, costs no more than what is in it and not yet stored. */
const CHUNK_BYTES = 32 * 1024 * 1024;

type Tus = { readonly Upload: typeof Upload };

/** The library's browser build speaks of itself as a global. */
async function loadTus(): Promise<Tus> {
  await import('tus-js-client');
  return (globalThis as unknown as { tus: Tus }).tus;
}

export function createTransfers(api: Api): Transfers {
  const uploads = new Map<Transfer, Upload>();
  const listeners = new Set<() => void>();
  let transfers: readonly Transfer[] = [];
  let next = 1;
  const changed = (): void => listeners.forEach((listener) => listener());

  const settle = (transfer: Transfer, change: Partial<Transfer>): void => {
    Object.assign(transfer, change);
    pump();
    changed();
  };
  function pump(): void {
    const room = AT_ONCE - transfers.filter(({ status }) => status === 'sending').length;
    const waiting = transfers.filter(({ status }) => status === 'waiting').slice(0, Math.max(0, room));
    for (const transfer of waiting) {
      transfer.status = 'sending';
      start(transfer).catch((error: unknown) =>
        settle(transfer, { status: 'failed', problem: messageOf(error) }),
      );
    }
  }
  async function start(transfer: Transfer): Promise<void> {
    const known = uploads.get(transfer);
    if (known !== undefined) return known.start();
    const tus = await loadTus();
    // Paused or removed while the library was on its way.
    if (transfer.status !== 'sending' || !transfers.includes(transfer)) return;
    const upload = create(tus, transfer);
    uploads.set(transfer, upload);
    // Begun in an earlier visit, or before the tab crashed.
    const [previous] = await upload.findPreviousUploads();
    if (previous !== undefined) upload.resumeFromPreviousUpload(previous);
    if ((transfer.status as Transfer['status']) === 'sending') upload.start();
  }
  function create(tus: Tus, transfer: Transfer): Upload {
    const { file } = transfer;
    let [lastAt, lastBytes] = [performance.now(), 0];
    return new tus.Upload(file, {
      endpoint: '/v1/uploads',
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      removeFingerprintOnSuccess: true,
      metadata: { filename: file.name, ...(file.type !== '' && { filetype: file.type }) },
      onBeforeRequest(request) {
        for (const [name, value] of Object.entries(api.headers())) request.setHeader(name, value);
      },
      onProgress(sentBytes) {
        const seconds = (performance.now() - lastAt) / 1000;
        if (seconds > 0.5) {
          const rate = Math.max(0, sentBytes - lastBytes) / seconds;
          transfer.rate = transfer.rate === 0 ? rate : transfer.rate * 0.6 + rate * 0.4;
          [lastAt, lastBytes] = [performance.now(), sentBytes];
        }
        transfer.sentBytes = sentBytes;
        changed();
      },
      onSuccess() {
        const uploadId = new URL(upload(transfer)?.url ?? '', 'http://server').pathname.split('/').at(-1);
        settle(transfer, { status: 'sent', sentBytes: file.size, uploadId });
        void recognise(transfer);
      },
      onError: (error) =>
        settle(transfer, { status: isRefusal(error) ? 'refused' : 'failed', problem: tell(error) }),
    });
  }
  /** Names and the browser's word are hearsay. Where the server cannot be asked, it judges when the job is made. */
  async function recognise(transfer: Transfer): Promise<void> {
    // Removed, or of somebody who has signed out.
    if (!transfers.includes(transfer)) return;
    const { mediaType } = await api
      .get<{ mediaType: string | null }>(`/v1/uploads/${transfer.uploadId}`)
      .catch(() => ({ mediaType: null }));
    if (mediaType !== null) transfer.mediaType = mediaType;
    changed();
  }
  const upload = (transfer: Transfer): Upload | undefined => uploads.get(transfer);

  return {
    list: () => transfers,
    add(files) {
      const fresh = files.map(
        (file): Transfer => ({
          ...{ key: next++, file, status: file.size === 0 ? 'refused' : 'waiting', sentBytes: 0, rate: 0 },
          ...{ mediaType: file.type || undefined, uploadId: undefined, jobId: undefined },
          problem: file.size === 0 ? 'The file is empty.' : undefined,
        }),
      );
      transfers = [...transfers, ...fresh];
      pump();
      changed();
    },
    pause(transfer) {
      void upload(transfer)?.abort();
      settle(transfer, { status: 'paused', rate: 0 });
    },
    resume(transfer) {
      settle(transfer, { status: 'waiting', problem: undefined });
    },
    remove(transfer) {
      transfers = transfers.filter((each) => each !== transfer);
      if (transfer.jobId === undefined) {
        // Unfinished: by the protocol. Finished: as any upload.
        const gone =
          transfer.uploadId === undefined
            ? upload(transfer)?.abort(true)
            : api.send('DELETE', `/v1/uploads/${transfer.uploadId}`);
        gone?.catch(() => undefined);
        uploads.delete(transfer);
      }
      pump();
      changed();
    },
    clear() {
      for (const transfer of transfers) {
        // Those whose upload is only being prepared see it before they send.
        transfer.status = 'paused';
        void upload(transfer)?.abort();
      }
      transfers = [];
      uploads.clear();
      for (const key of Object.keys(localStorage))
        if (key.startsWith(RESUMABLE)) localStorage.removeItem(key);
      changed();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    sourceOf: (jobId) => [...uploads.keys()].find((transfer) => transfer.jobId === jobId)?.file,
  };
}

/** 409, 423, 429 pass; what else is 4xx is said for good. */
function isRefusal(error: Error): boolean {
  const answer =
    'originalResponse' in error ? (error.originalResponse as { getStatus(): number } | null) : null;
  const status = answer?.getStatus() ?? 0;
  return status >= 400 && status < 500 && ![401, 409, 423, 429].includes(status);
}

/** What the server said, instead of what the library makes of it. */
function tell(error: Error): string {
  const answer =
    'originalResponse' in error ? (error.originalResponse as { getBody(): string } | null) : null;
  try {
    const problem = JSON.parse(answer?.getBody() ?? '') as { detail?: string };
    return new ApiProblem(problem).message;
  } catch {
    return answer === null
      ? 'The connection broke, and did not come back. Resume it when the server is there again.'
      : error.message;
  }
}
