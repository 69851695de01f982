// Every failure of a request leaves as application/problem+json (RFC 9457), whoever threw it.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { problemType } from '../jobs/job-view.ts';
import { describeFields, fieldErrors } from '../lib/field-errors.ts';
import { Problem } from '../problems.ts';
import type { ProblemCode } from '../problems.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';

/** Handles errors, unknown addresses and wrong methods for the whole app. Must be registered before any route. */
export const problemHandler = fp(
  async (app: FastifyInstance) => {
    const routes: { pattern: RegExp; methods: Set<string> }[] = [];
    app.addHook('onRoute', ({ url, method }) => {
      const pattern = new RegExp(
        `^${url
          .replaceAll(/[.+?^$()[\]\\]/g, String.raw`\$&`)
          .replaceAll(/:[^/]+/g, '[^/]+')
          .replaceAll('*', '.*')}/?$`,
      );
      routes.push({ pattern, methods: new Set([method].flat()) });
    });

    app.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?')[0] ?? '';
      const methods = new Set(
        routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => [...route.methods]),
      );
      if (methods.size === 0) {
        return sendProblem(
          reply,
          new Problem(
            'route_not_found',
            `There is nothing at ${JSON.stringify(path.slice(0, 200))}. GET / lists what there is.`,
          ),
        );
      }
      const allow = [...methods].toSorted().join(', ');
      return sendProblem(
        reply,
        new Problem('method_not_allowed', `${request.method} is not possible here. Allowed: ${allow}.`, {
          headers: { allow },
        }),
      );
    });

    app.setErrorHandler((error: FastifyError, request, reply) => {
      const problem = toProblem(error);
      if (problem.status >= 500) {
        const level = problem.code === 'internal_error' ? 'error' : 'warn';
        request.log[level]({ err: problem.cause ?? problem, code: problem.code }, problem.message);
      } else {
        request.log.info({ code: problem.code, detail: problem.message }, 'refused');
      }
      // An answer that has begun cannot be taken back: breaking it off is the only honest end.
      if (reply.raw.headersSent) return reply.raw.destroy();
      return sendProblem(reply, problem);
    });
  },
  { name: 'problem-handler' },
);

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  // For whoever counts them.
  reply.raw.problemCode = problem.code;
  if (problem.retryAfter !== undefined) void reply.header('retry-after', Math.ceil(problem.retryAfter));
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .header('cache-control', 'no-store')
    .serializer(JSON.stringify)
    .send({ type: problemType(problem.code), ...problem.toDocument(), instance: reply.request.id });
}

/** What Fastify itself can throw, in our words. */
const FASTIFY_CODES: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed_json', 'The body is empty, but its Content-Type says JSON.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'The body is larger than is allowed here.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['media_type_unsupported', 'This Content-Type is not taken here.'],
  FST_ERR_CTP_INVALID_TYPE: ['media_type_unsupported', 'This Content-Type is not taken here.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'upload_incomplete',
    'The body is not as long as Content-Length says.',
  ],
  FST_ERR_BAD_URL: ['invalid_request', 'The address is not a valid URL.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long', 'A part of the address is longer than is possible.'],
  FST_ERR_ASYNC_CONSTRAINT: ['invalid_request', 'The request cannot be routed.'],
};

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (error.validation) return validationProblem(error);
  const known = FASTIFY_CODES[error.code];
  if (known) return new Problem(known[0], known[1], { cause: error });
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new Problem('invalid_request', error.message, { cause: error });
  }
  return Problem.from(error);
}

function validationProblem(error: FastifyError): Problem {
  const issues = (error.validation ?? []).map(({ keyword, instancePath, message, params }) => ({
    ...params,
    code: keyword,
    path: instancePath.split('/').filter(Boolean),
    message: message ?? 'is not valid',
  }));
  const errors = fieldErrors(
    issues as unknown as Parameters<typeof fieldErrors>[0],
    error.validationContext ?? 'request',
  );
  return new Problem('invalid_request', describeFields(errors), { cause: error, errors });
}

/** Fastify's `frameworkErrors`: mistakes found before any handler, hook or route. */
export function onFrameworkError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  void sendProblem(reply, toProblem(error));
}

/** Fastify's `clientErrorHandler`: bytes that are not HTTP at all. There is no reply object yet. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // In the middle of an answer, ours would become part of its body.
  // oxlint-disable-next-line no-underscore-dangle -- Node's own handler looks there, and there is no other place.
  const answer = (socket as Socket & { _httpMessage?: { headersSent: boolean } })._httpMessage;
  if (error.code === 'ECONNRESET' || !socket.writable || answer?.headersSent === true) {
    socket.destroy();
    return;
  }
  const problem =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new Problem('headers_too_large', 'The request headers are larger than 16 KiB.')
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new Problem('request_timeout', 'The request headers did not arrive in time.')
        : new Problem('invalid_request', 'This is not a valid HTTP/1.1 request.');
  const body = JSON.stringify({ type: problemType(problem.code), ...problem.toDocument() });
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
