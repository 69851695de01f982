// Every problem the server can answer: one table (RFC 9457, Problem Details for HTTP APIs).

/** What a problem means to a client, and to the job runner. */
export interface ProblemKind {
  /** HTTP status. For problems that only a job can have: the status it would be answered with. */
  readonly status: number;
  /** Short, the same for every occurrence. */
  readonly title: string;
  /** Seconds after which the same call may succeed; sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** A job that failed so is tried again, while attempts are left. */
  readonly retryJob?: boolean;
  /** Not the job's fault, and it passes: the job waits again without an attempt spent, for a day; after that it has failed. */
  readonly jobWaits?: boolean;
}

export const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  malformed_json: { status: 400, title: 'The JSON cannot be read' },
  malformed_multipart: { status: 400, title: 'The multipart body cannot be read' },
  upload_incomplete: { status: 400, title: 'The body ended before all its bytes came' },
  file_missing: { status: 400, title: 'No file was sent' },
  recipe_invalid: { status: 400, title: 'The recipe is not valid' },
  preset_unknown: { status: 400, title: 'There is no such preset' },

  unauthenticated: { status: 401, title: 'A key is needed' },
  forbidden: { status: 403, title: 'The key may not do this' },
  route_not_found: { status: 404, title: 'There is nothing at this address' },
  job_not_found: { status: 404, title: 'There is no such job' },
  output_not_found: { status: 404, title: 'There is no such output' },
  method_not_allowed: { status: 405, title: 'This address does not take this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  webhook_not_found: { status: 404, title: 'There is no such webhook' },
  delivery_not_found: { status: 404, title: 'There is no such delivery' },
  webhook_limit: { status: 409, title: 'There are as many webhooks as there may be' },
  webhook_disabled: { status: 409, title: 'The webhook is disabled' },
  webhook_secret_limit: { status: 409, title: 'The webhook has as many secrets as it may have' },
  webhooks_unconfigured: { status: 422, title: 'The server cannot sign webhooks of single jobs' },
  upload_offset: { status: 409, title: 'The upload stands at another offset' },
  upload_unfinished: { status: 409, title: 'The upload is not finished' },
  upload_final: { status: 403, title: 'An upload made of others takes no bytes' },
  upload_version: { status: 412, title: 'This version of tus is not spoken here' },
  upload_locked: { status: 423, title: 'Somebody else sends this upload', retryAfter: 1 },
  checksum_mismatch: { status: 460, title: 'The bytes are not those of the checksum' },
  job_finished: { status: 409, title: 'The job is already finished' },
  idempotency_in_flight: {
    status: 409,
    title: 'The same request is being worked on',
    retryAfter: 2,
  },
  output_not_ready: { status: 409, title: 'The output is not ready' },
  payload_too_large: { status: 413, title: 'The upload is too large' },
  uri_too_long: { status: 414, title: 'The address is too long' },
  media_type_unsupported: { status: 415, title: 'This kind of file is not supported' },
  content_encoding_unsupported: { status: 415, title: 'Uploads must not be compressed' },
  source_not_found: { status: 404, title: 'There is no such source' },
  source_forbidden: { status: 403, title: 'This source may not be fetched' },
  source_unavailable: {
    status: 502,
    title: 'The source could not be fetched',
    retryAfter: 5,
    retryJob: true,
  },
  signature_invalid: { status: 403, title: 'The signature is not valid' },
  signature_expired: { status: 410, title: 'The address has expired' },
  not_acceptable: { status: 406, title: 'No format that the client accepts can be made' },
  range_not_satisfiable: { status: 416, title: 'The range lies outside the file' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },

  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key belongs to another request' },
  image_unreadable: { status: 422, title: 'The image cannot be read' },
  image_too_large: { status: 422, title: 'The image has too many pixels' },
  image_too_many_frames: { status: 422, title: 'The image has too many frames' },
  image_too_complex: { status: 422, title: 'The image is too costly to decode' },
  image_quarantined: { status: 422, title: 'This image took too long before and is refused for a while' },
  image_deadline: { status: 422, title: 'The image took too long' },
  rendition_too_large: { status: 422, title: 'The requested rendition is too large' },
  crop_outside: { status: 422, title: 'The crop lies outside the image' },
  video_unreadable: { status: 422, title: 'The video cannot be read' },
  video_too_long: { status: 422, title: 'The video is too long' },
  video_too_complex: { status: 422, title: 'The video is beyond the limits' },
  stream_missing: { status: 422, title: 'The source lacks a needed stream' },
  encode_failed: { status: 422, title: 'The media could not be encoded' },
  result_broken: { status: 422, title: 'The result did not pass its check' },

  rate_limited: { status: 429, title: 'Too many requests', retryAfter: 1 },
  quota_exceeded: { status: 429, title: 'The tenant has used what it may', retryAfter: 60 },

  internal_error: { status: 500, title: 'The server made a mistake', retryJob: true },
  encoder_killed: { status: 500, title: 'The encoder was stopped from outside', retryJob: true },
  attempts_exhausted: { status: 500, title: 'The job was interrupted too often' },
  encode_timeout: { status: 500, title: 'The encode took longer than allowed' },
  encoder_missing: {
    status: 503,
    title: 'FFmpeg, or an encoder in it, is missing on the server',
    retryAfter: 60,
  },
  overloaded: { status: 503, title: 'The server is busy', retryAfter: 1 },
  shutting_down: { status: 503, title: 'The server is stopping', retryAfter: 2 },
  backend_unavailable: {
    status: 503,
    title: 'What the server keeps its state in cannot be reached',
    retryAfter: 5,
    retryJob: true,
    jobWaits: true,
  },
  storage_full: { status: 507, title: 'The server has no room left', retryAfter: 60, jobWaits: true },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** A field-level mistake: where it was, and what is allowed there. */
export interface FieldError {
  /** Dotted path, e.g. `outputs.video.height`. */
  readonly field: string;
  readonly message: string;
}

export interface ProblemOptions {
  readonly cause?: unknown;
  readonly errors?: readonly FieldError[] | undefined;
  /** Seconds; overrides the table's. */
  readonly retryAfter?: number;
  /** Extra response headers, e.g. `allow`, `content-range`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A problem as it stands in JSON: in answers, in job rows, in messages between threads. */
export interface ProblemDocument {
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly FieldError[] | undefined;
}

/**
 * The one error class that carries a meaning for people. Throw it with a code of the table and a
 * `detail` that says what was wrong here, what is allowed and what to do; compare `code`, never text.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly #retryAfter: number | undefined;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.errors = options.errors;
    this.headers = options.headers ?? {};
    this.#retryAfter = options.retryAfter;
  }

  get kind(): ProblemKind {
    return PROBLEMS[this.code];
  }
  get status(): number {
    return this.kind.status;
  }
  /** Seconds, or undefined where waiting does not help. */
  get retryAfter(): number | undefined {
    return this.#retryAfter ?? this.kind.retryAfter;
  }

  /** As data: class and `code` are lost when an error crosses a thread, a process or a database. */
  toDocument(): ProblemDocument {
    const document = { code: this.code, status: this.status, title: this.kind.title, detail: this.message };
    return this.errors === undefined ? document : { ...document, errors: this.errors };
  }

  static fromDocument(document: ProblemDocument): Problem {
    return new Problem(document.code, document.detail, { errors: document.errors });
  }

  /** Any thrown value as a Problem. What is not one already is our mistake: `internal_error`, its text kept as `cause` only. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    const code = (error as NodeJS.ErrnoException | null)?.code;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      return new Problem('storage_full', 'The disk is full. Nothing was kept; try again later.', {
        cause: error,
      });
    }
    return new Problem('internal_error', 'Something went wrong on our side. It has been logged.', {
      cause: error,
    });
  }
}

/** Whether Redis or the store could not be reached, which passes by itself. */
export function isAway(error: unknown): error is Problem {
  return error instanceof Problem && error.code === 'backend_unavailable';
}
