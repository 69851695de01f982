// docs/openapi.json, from the routes themselves: the app is built with parts that are never used.

import { pino } from 'pino';
import { buildApp } from '../../src/app.ts';
import type { AppDeps } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createMeter } from '../../src/metrics/meter.ts';

export async function openApiDocument(): Promise<string> {
  const unused = {} as never;
  const deps: AppDeps = {
    config: readConfig({ DATA_DIR: '/unused' }, { cores: 1, memoryBytes: 1 << 30 }),
    log: pino({ level: 'silent' }),
    queue: unused,
    records: unused,
    meters: unused,
    store: unused,
    images: unused,
    videos: unused,
    sources: unused,
    uploads: unused,
    received: unused,
    cache: unused,
    presets: new Map(),
    fallback: undefined,
    version: '1',
    webhooks: unused,
    aftermath: unused,
    traffic: createMeter().traffic,
    machine: async () => unused,
    readiness: async () => unused,
    leaving: new AbortController().signal,
  };
  const app = await buildApp(deps);
  await app.ready();
  const document = app.swagger();
  await app.close();
  return `${JSON.stringify(document, null, 2)}\n`;
}
