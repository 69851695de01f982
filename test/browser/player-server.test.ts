// The server of the player's page: types, ranges, what is missing, and what it passes on.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { folder } from '../engines/video-fixtures.ts';
import { call } from '../support/client.ts';
import { servePlayer } from './player-server.ts';

it('files have their media types, and ranges', async () => {
  await using place = await folder();
  await writeFile(place.join('v720.m3u8'), '#EXTM3U\n');
  await writeFile(place.join('v720.00000.m4s'), '0123456789');
  await writeFile(place.join('empty.vtt'), '');
  await using server = await servePlayer({ folder: place.path });

  const playlist = await call(server.origin, '/media/v720.m3u8');
  expect(playlist.headers['content-type']).toBe('application/vnd.apple.mpegurl');
  expect(playlist.body.toString()).toBe('#EXTM3U\n');
  expect(await call(server.origin, '/media/empty.vtt')).toMatchObject({ status: 200 });

  const part = await call(server.origin, '/media/v720.00000.m4s', { headers: { range: 'bytes=2-4' } });
  expect(part).toMatchObject({
    status: 206,
    headers: { 'content-range': 'bytes 2-4/10', 'content-length': '3', 'content-type': 'video/iso.segment' },
  });
  expect(part.body.toString()).toBe('234');
  const beyond = await call(server.origin, '/media/v720.00000.m4s', { headers: { range: 'bytes=10-' } });
  expect(beyond).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */10' } });

  expect(server.asked.map(({ range, status }) => [range, status])).toEqual([
    [undefined, 200],
    [undefined, 200],
    ['bytes=2-4', 206],
    ['bytes=10-', 416],
  ]);
});

it('nothing else is served', async () => {
  await using place = await folder();
  await using server = await servePlayer({ folder: place.path });
  for (const [path, status] of [
    ['/media/none.mp4', 404],
    ['/media/', 403],
    ['/media/..%2f..%2fetc%2fpasswd', 403],
    ['/v1/jobs', 404],
    ['/package.json', 404],
  ] as const) {
    expect([path, (await call(server.origin, path)).status]).toEqual([path, status]);
  }
});

it('requests under /v1/ are passed on, and their answers back', async () => {
  const behind = createServer((request, response) => {
    response.writeHead(206, { 'content-range': 'bytes 1-2/3', 'x-asked': `${request.url}` });
    response.end(request.headers.range);
  });
  behind.listen(0, '127.0.0.1');
  await once(behind, 'listening');
  const origin = `http://127.0.0.1:${(behind.address() as AddressInfo).port}`;
  await using server = await servePlayer({ origin });
  const path = '/v1/jobs/j/outputs/o/v720.m3u8?download=true';
  const answer = await call(server.origin, path, { headers: { range: 'bytes=1-2' } });
  expect(answer).toMatchObject({
    status: 206,
    headers: { 'content-range': 'bytes 1-2/3', 'x-asked': path },
  });
  expect(answer.body.toString()).toBe('bytes=1-2');

  behind.closeAllConnections();
  behind.close();
  await once(behind, 'close');
  expect((await call(server.origin, path)).status).toBe(502);
});
