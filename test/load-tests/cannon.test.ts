// The eye on autocannon's answers: each way to answer wrongly must end the run.

import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { fire } from '../../load-tests/cannon.ts';
import type { Answer, Volley } from '../../load-tests/cannon.ts';

const open: (() => unknown)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const volley = { connections: 2, amount: 20, signal: new AbortController().signal };
const at = async (listener: RequestListener, more: Partial<Volley> = {}) =>
  fire({ ...volley, url: await listen(listener), ...more });
const isText = ({ headers }: Answer): string | undefined =>
  headers['content-type'] === 'text/plain' ? undefined : `came ${headers['content-type']}`;

describe('fire', () => {
  it('tells how many came and how fast', async () => {
    let served = 0;
    const hits = await at(
      (_request, response) => {
        served++;
        response.setHeader('Content-Type', 'text/plain').end('yes');
      },
      { examine: isText },
    );
    expect(hits.answers).toBe(20);
    expect(served).toBe(20);
    expect(hits.latencies).toHaveLength(20);
    expect(Math.min(...hits.latencies)).toBeGreaterThan(0);
    expect(hits.perSecond).toBeGreaterThan(0);
  });

  it('shoots for a time where no number is given', async () => {
    const { amount: _, ...rest } = volley;
    const url = await listen((_request, response) => void response.end('yes'));
    const hits = await fire({ ...rest, url, seconds: 0.2 });
    expect(hits.answers).toBeGreaterThan(0);
  });

  it('sends a body or a form as it is', async () => {
    const bodies: string[] = [];
    const listener: RequestListener = (request, response) => {
      request.setEncoding('latin1').on('data', (chunk: string) => bodies.push(chunk));
      request.on('end', () => response.end());
    };
    const path = new URL('../../package.json', import.meta.url).pathname;
    const examine = ({ status }: Answer): string | undefined => (status === 200 ? undefined : 'no');
    await at(listener, { amount: 2, method: 'POST', body: Buffer.from('raw'), examine });
    expect(bodies).toEqual(['raw', 'raw']);
    bodies.length = 0;
    await at(listener, { amount: 2, method: 'POST', form: { file: { type: 'file', path } }, examine });
    expect(bodies.join('')).toContain('Content-Disposition: form-data; name="file"; filename="package.json"');
  });

  it('fails for an answer that is found wrong', async () => {
    let count = 0;
    const oddOne: RequestListener = (_request, response) => {
      response.setHeader('content-type', ++count === 7 ? 'text/html' : 'text/plain').end('yes');
    };
    await expect(at(oddOne, { examine: isText })).rejects.toThrow(
      '1 wrong answers; the first: came text/html',
    );
  });

  it('fails for a status that is not 2xx', async () => {
    let count = 0;
    const oddOne: RequestListener = (_request, response) => {
      response.writeHead(++count === 7 ? 503 : 200).end();
    };
    await expect(at(oddOne)).rejects.toThrow('1 answers were not 2xx');
  });

  it('fails for a wrong body', async () => {
    let count = 0;
    const oddOne: RequestListener = (_request, response) => void response.end(++count === 7 ? 'no' : 'yes');
    await expect(at(oddOne, { verifyBody: (body) => body === 'yes' })).rejects.toThrow(
      '1 answers had a wrong body',
    );
  });

  it('fails for an answer that never came, though autocannon takes no notice', async () => {
    let count = 0;
    const oddOne: RequestListener = (_request, response) => {
      // A connection that ends without a word: autocannon opens another one.
      if (++count === 7) response.socket?.end();
      else response.end('yes');
    };
    await expect(at(oddOne)).rejects.toThrow('1 requests were never answered');
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const listener: RequestListener = () => stop.abort(new Error('enough'));
    await expect(at(listener, { signal: stop.signal })).rejects.toThrow('enough');
  });
});
