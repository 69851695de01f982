// The floor of cached images: nothing but Fastify and one file, in as many processes as the server has.
// node file-route.ts PROCESSES FILE TYPE: sends its address once all of them listen, ends with its channel.

import cluster from 'node:cluster';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fastify } from 'fastify';

const [processes = '1', file = '', type = ''] = process.argv.slice(2);

if (cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', (_worker, { address, port }) => {
    if (++listening === Number(processes)) process.send?.(`http://${address}:${port}`);
  });
  process.once('disconnect', () => process.exit());
  for (let i = 0; i < Number(processes); i++) cluster.fork();
} else {
  const { size } = await stat(file);
  const app = fastify();
  app.get('/file', (_request, reply) =>
    reply.header('content-type', type).header('content-length', size).send(createReadStream(file)),
  );
  await app.listen({ host: '127.0.0.1', port: 0 });
}
