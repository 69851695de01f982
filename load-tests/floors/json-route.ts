// The floor of polling: nothing but Fastify and one JSON object, in as many processes as the server has.
// node json-route.ts PROCESSES FILE: sends its address once all of them listen, ends with its channel.

import cluster from 'node:cluster';
import { readFile } from 'node:fs/promises';
import { fastify } from 'fastify';

const [processes = '1', file = ''] = process.argv.slice(2);

if (cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', (_worker, { address, port }) => {
    if (++listening === Number(processes)) process.send?.(`http://${address}:${port}`);
  });
  process.once('disconnect', () => process.exit());
  for (let i = 0; i < Number(processes); i++) cluster.fork();
} else {
  const payload = JSON.parse(await readFile(file, 'utf8')) as object;
  const app = fastify();
  app.get('/v1/jobs/:id', async () => payload);
  await app.listen({ host: '127.0.0.1', port: 0 });
}
