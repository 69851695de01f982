import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { detach } from '../../src/lib/detach.ts';

it('passes all bytes on', async () => {
  expect(String(await buffer(detach(Readable.from([Buffer.from('ab'), Buffer.from('c')]))))).toBe('abc');
});

it('can be destroyed without destroying its source', async () => {
  const source = new PassThrough();
  const body = detach(source);
  body.destroy();
  await once(body, 'close');
  expect(source.destroyed).toBe(false);
});

it('breaks when its source breaks off', async () => {
  const source = new PassThrough();
  const body = detach(source);
  source.write('half');
  source.destroy();
  await expect(buffer(body)).rejects.toMatchObject({ code: 'upload_incomplete' });
});

it('lets the answer of a refused upload reach the client', async () => {
  const server = createServer((incoming, response) => {
    const body = detach(incoming);
    body.once('data', () => {
      body.destroy();
      response.writeHead(413).end('too large');
      incoming.resume();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const upload = request({ port, host: '127.0.0.1', method: 'POST', path: '/' });
  upload.on('error', () => undefined);
  upload.write(Buffer.alloc(500_000));
  const [response] = (await once(upload, 'response')) as [Readable & { statusCode: number }];
  expect(response.statusCode).toBe(413);
  expect(await text(response)).toBe('too large');
  upload.destroy();
  server.closeAllConnections();
  server.close();
});
