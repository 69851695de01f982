// npm run move -- --to fleet | embedded: moves jobs, records and files between a data folder and what a fleet shares.

import { runMove } from './move/run.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error('Broken off. Run it again: it goes on from here.')));
const { stdout, stderr, env } = process;
process.exitCode = await runMove({ args: process.argv.slice(2), env, stdout, stderr, signal: stop.signal });
