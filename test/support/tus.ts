// tus by hand: every request as it is meant, and bodies that stay open.

import { request } from 'node:http';
import type { ClientRequest } from 'node:http';
import { call } from './client.ts';
import type { Answer } from './client.ts';

export const OFFSET_BYTES = 'application/offset+octet-stream';

export function tus(
  address: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<Answer> {
  return call(address, path, {
    method,
    headers: { 'tus-resumable': '1.0.0', ...headers },
    ...(body !== undefined && { body }),
    timeoutMs: 20_000,
  });
}

/** The path of a new upload. */
export async function create(address: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const answer = await tus(address, 'POST', '/v1/uploads', headers);
  if (answer.status !== 201)
    throw new Error(`the creation was answered ${answer.status}: ${answer.body.toString()}`);
  return String(answer.headers.location);
}

export function patch(
  address: string,
  path: string,
  offset: number,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return tus(
    address,
    'PATCH',
    path,
    { 'content-type': OFFSET_BYTES, 'upload-offset': String(offset), ...headers },
    body,
  );
}

export async function offsetOf(address: string, path: string): Promise<number> {
  const answer = await tus(address, 'HEAD', path);
  if (answer.status !== 200) throw new Error(`HEAD was answered ${answer.status}`);
  return Number(answer.headers['upload-offset']);
}

/** A PATCH whose body stays open: write to `outgoing`, and end it or not. */
export function openPatch(
  address: string,
  path: string,
  offset: number,
  announced?: number,
): { outgoing: ClientRequest; answer: Promise<{ status: number; body: string }> } {
  const outgoing = request(new URL(path, address), {
    method: 'PATCH',
    agent: false,
    headers: {
      'tus-resumable': '1.0.0',
      'content-type': OFFSET_BYTES,
      'upload-offset': String(offset),
      ...(announced !== undefined && { 'content-length': announced }),
    },
  });
  const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
    outgoing.once('response', (incoming) => {
      let body = '';
      incoming.setEncoding('utf8').on('data', (text: string) => (body += text));
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, body }));
      incoming.once('error', reject);
    });
    outgoing.on('error', reject);
  });
  // Whoever breaks it off does not ask for its answer.
  answer.catch(() => undefined);
  return { outgoing, answer };
}
