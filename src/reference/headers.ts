// The headers that requests and answers have, each said once.

interface HeaderDoc {
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly example?: unknown;
}

const text = { type: 'string' } as const;
const whole = { type: 'integer', minimum: 0 } as const;

export const requestHeaders = {
  'Idempotency-Key': {
    description:
      'Makes a repeated request safe: the same key is answered with what the first one made (draft-ietf-httpapi-idempotency-key-header). 1–255 visible ASCII characters; a UUID is good.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    example: '"6f1c9b5e-0d3c-4a86-9a86-9e3f1d3b7a10"',
  },
  Prefer: {
    description:
      '`respond-async` makes a job of it (RFC 7240). `wait=N`: answers when the job is finished, or after N seconds.',
    schema: text,
    example: 'respond-async',
  },
  Accept: {
    description:
      'Media types that the client takes, for `format=auto` and `best`, and where an answer has two forms.',
    schema: text,
    example: 'image/avif, image/webp, image/*;q=0.8',
  },
  Range: { description: 'One range of bytes (RFC 9110, 14.2)', schema: text, example: 'bytes=0-1023' },
  'If-Range': { description: 'The range only if this ETag still holds, else all', schema: text },
  'If-None-Match': { description: 'Answers 304 while one of these ETags holds', schema: text },
  'Last-Event-ID': { description: 'Goes on after this event', schema: text },
  'Tus-Resumable': {
    description: 'The version of tus that is spoken',
    schema: { type: 'string', enum: ['1.0.0'] },
    example: '1.0.0',
  },
  'Upload-Length': { description: 'Bytes of the whole file', schema: whole, example: 1048576 },
  'Upload-Defer-Length': {
    description: '1: the length is told later',
    schema: { type: 'integer', enum: [1] },
  },
  'Upload-Metadata': {
    description:
      'Pairs of a name and a value in base64, with commas between them; `filename` is what the file is called',
    schema: text,
    example: 'filename Y2xpcC5tb3Y=',
  },
  'Upload-Offset': {
    description: 'Bytes that are there already; must be what the server has',
    schema: whole,
    example: 0,
  },
  'Upload-Checksum': {
    description: 'Algorithm and checksum in base64 of the bytes of this request',
    schema: text,
  },
  'Upload-Concat': {
    description:
      '`partial`, or `final;` and the addresses of the parts it is made of, with spaces between them',
    schema: text,
  },
} as const satisfies Record<string, HeaderDoc>;
export type RequestHeader = keyof typeof requestHeaders;

export const responseHeaders = {
  'X-Request-Id': { description: 'What the log calls this request: yours, if you sent one', schema: text },
  Location: { description: 'Where what was made can be found', schema: text },
  'Cache-Control': { description: 'How long caches may keep it (RFC 9111)', schema: text },
  ETag: { description: 'Says which bytes these are, for `If-None-Match` and `If-Range`', schema: text },
  Vary: { description: '`Accept`, where the format is negotiated', schema: text },
  'Content-Disposition': { description: 'A name to save it under', schema: text },
  'Content-Range': { description: 'Which bytes of how many these are', schema: text },
  'Accept-Ranges': { description: '`bytes`', schema: text },
  'Preference-Applied': { description: 'The preference that was heeded (RFC 7240)', schema: text },
  'Idempotency-Replayed': {
    description: '`true`: nothing was made; this is the answer to the first request with the key',
    schema: { type: 'string', enum: ['true'] },
  },
  'Idempotency-Key-Expires': { description: 'Until when the key is known, as an HTTP date', schema: text },
  'Mediamill-Size': { description: 'Width and height in pixels, such as `800x533`', schema: text },
  'Mediamill-Decisions': {
    description: 'What was decided and why: percent-encoded sentences. Split at commas first, then decode',
    schema: text,
  },
  'Mediamill-Max-Bytes': {
    description: 'Whether `maxBytes` could be held',
    schema: { type: 'string', enum: ['reached', 'unreachable'] },
  },
  'Server-Timing': { description: 'Milliseconds of the upload, of waiting and of the work', schema: text },
  'Retry-After': { description: 'Seconds after which the same request may succeed', schema: whole },
  'RateLimit-Policy': {
    description: 'The limits of the key, where it has some (draft-ietf-httpapi-ratelimit-headers)',
    schema: text,
  },
  RateLimit: { description: 'What is left of them, and when they are full again', schema: text },
  'WWW-Authenticate': { description: '`Bearer`', schema: text },
  'Set-Cookie': { description: '`mediamill_session`, which no script can read', schema: text },
  'Tus-Resumable': { description: '`1.0.0`', schema: text },
  'Tus-Version': { description: '`1.0.0`', schema: text },
  'Tus-Extension': { description: 'What of tus is spoken beside its core', schema: text },
  'Tus-Max-Size': { description: 'Most bytes of an upload', schema: whole },
  'Upload-Offset': { description: 'Bytes that the server has', schema: whole },
  'Upload-Length': { description: 'Bytes of the whole file, once known', schema: whole },
  'Upload-Expires': { description: 'Until when it is kept, as an HTTP date', schema: text },
} as const satisfies Record<string, HeaderDoc>;
export type ResponseHeader = keyof typeof responseHeaders;
