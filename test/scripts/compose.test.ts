// compose.yaml: what it names is there, its settings are ones that the program takes, and its Redis keeps what it is told.

import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig, settings } from '../../src/config.ts';
import { environment, last, readDockerfile, root } from './dockerfile.ts';

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly mem_limit?: string;
  readonly stop_grace_period?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const text = readFileSync(join(root, 'compose.yaml'), 'utf8');
const { services, networks, volumes } = parse(text, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const image = environment(readDockerfile().at(-1)!);
/** The command at its head that makes the secrets. */
const [, makeSecrets = ''] = /^# {3}(\(umask .*> \.env\))$/m.exec(text) ?? [];

/** The secrets that this command makes. */
async function secrets(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-compose-'));
  try {
    execFileSync('sh', ['-euc', makeSecrets], { cwd: folder });
    const made = await readFile(join(folder, '.env'), 'utf8');
    return Object.fromEntries(
      made
        .trim()
        .split('\n')
        .map((line) => line.split('=', 2)),
    ) as Record<string, string>;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `${NAME}`, `${NAME:?message}` and `${NAME:-default}`, as compose fills them in. Throws for what is not there. */
function filled(value: string, given: Readonly<Record<string, string>>): string {
  return value.replaceAll(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_, name: string, how?: string, rest = '') => {
    const found = given[name] ?? (how === '-' ? rest : undefined);
    if (found === undefined) throw new Error(`${name} is not given`);
    return found;
  });
}

test.each(['web', 'work'])('the settings of %s are what the program takes', async (name) => {
  const given = await secrets();
  const own = Object.entries(services[name]?.environment ?? {});
  expect(own.map(([key]) => key).filter((key) => !(key in settings))).toEqual([]);
  const env = Object.fromEntries(own.map(([key, value]) => [key, filled(String(value), given)]));
  const config = readConfig({ ...image, ...env });
  expect(config).toMatchObject({ ROLES: [name], QUEUE: 'bullmq', STORE: 's3', S3_PATH_STYLE: true });
  expect(new URL(config.REDIS_URL ?? '')).toMatchObject({
    hostname: 'redis',
    password: given['REDIS_PASSWORD'],
  });
  expect(given['REDIS_PASSWORD']).toMatch(/^[0-9a-f]{48}$/);
  // The stop must not cut off what SHUTDOWN_SECONDS allows.
  expect(Number.parseInt(services[name]?.stop_grace_period ?? '', 10)).toBeGreaterThan(
    config.SHUTDOWN_SECONDS,
  );
});

test('without secrets nothing starts, and nothing is made up for them', () => {
  const wanted = ['REDIS_PASSWORD', 'S3_ACCESS_KEY', 'S3_SECRET_KEY'];
  for (const name of wanted) {
    expect([...text.matchAll(new RegExp(`\\$\\{${name}\\b([^}]*)\\}`, 'g'))].length).toBeGreaterThan(0);
  }
  expect([...text.matchAll(/\$\{(\w+):-/g)].map(([, name]) => name)).toEqual(['PUBLISH']);
  expect(makeSecrets).not.toBe('');
});

test('it names only services, networks, volumes and files that there are', () => {
  for (const [name, service] of Object.entries(services)) {
    expect(service.image ?? service.build, name).toBeDefined();
    // The newest is another one tomorrow.
    if (service.build === undefined) expect(service.image, name).toMatch(/:[\w.-]*\d/);
    else expect(existsSync(join(root, service.build, 'Dockerfile'))).toBe(true);
    for (const network of service.networks ?? []) expect(Object.keys(networks), name).toContain(network);
    for (const volume of service.volumes ?? []) {
      const [from = '', to] = volume.split(':');
      if (to === undefined) expect(from).toMatch(/^\//);
      else if (from.startsWith('.')) expect(existsSync(join(root, from)), from).toBe(true);
      else expect(Object.keys(volumes), name).toContain(from);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(services[other], other).toBeDefined();
      if (condition === 'service_healthy') expect(services[other]?.healthcheck, other).toBeDefined();
      else {
        expect(condition).toBe('service_completed_successfully');
        expect(services[other]?.restart).toBe('no');
      }
    }
  }
});

test('each service is shut in, bounded and watched', () => {
  for (const [name, service] of Object.entries(services)) {
    expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    if (service.restart === 'no') continue;
    expect(service.mem_limit, name).toMatch(/^\d+[mg]$/);
    // Those without one have that of the image.
    if (service.build === undefined) expect(service.healthcheck?.test[0], name).toMatch(/^CMD/);
    expect(existsSync(join(root, 'Dockerfile')) && last(readDockerfile().at(-1)!, 'HEALTHCHECK')).toContain(
      '/livez',
    );
  }
});

test('Redis and the store are out of reach, and only the proxy is published, on loopback', () => {
  expect(networks['back']).toEqual({ internal: true });
  for (const name of ['redis', 's3']) expect(services[name]?.networks).toEqual(['back']);
  const published = Object.entries(services).filter(([, { ports }]) => ports !== undefined);
  expect(published.map(([name]) => name)).toEqual(['proxy']);
  expect(services['proxy']?.ports).toEqual(['127.0.0.1:${PUBLISH:-3000}:8080']);
});

test('the proxy leads to the machines that answer', async () => {
  const [file = ''] = services['proxy']?.volumes?.[0]?.split(':') ?? [];
  const caddyfile = await readFile(join(root, file), 'utf8');
  const of = (name: string): string | undefined =>
    new RegExp(`^\\s*${name} (\\S+)$`, 'm').exec(caddyfile)?.[1];
  expect(Object.keys(services)).toContain(of('name'));
  expect(of('port')).toBe(image['PORT']);
  expect(caddyfile).toMatch(/^:8080 \{$/m);
});

test('the store has the bucket, at the address that the machines are told', () => {
  const { S3_BUCKET, S3_ENDPOINT } = services['web']?.environment ?? {};
  expect(services['bucket']?.entrypoint?.at(-1)).toBe(`/s3/${S3_BUCKET}`);
  expect(services['s3']?.command).toEqual(['posix', '/s3']);
  const { hostname, port } = new URL(String(S3_ENDPOINT));
  expect([hostname, services['s3']?.healthcheck?.test.at(-1)]).toEqual([
    's3',
    `http://127.0.0.1:${port}/health`,
  ]);
});

test('its Redis takes the configuration, wants the password, and keeps every write', async ({ signal }) => {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-compose-'));
  const socket = join(folder, 'socket');
  const command = (services['redis']?.command?.[0] ?? '')
    .replaceAll('$$', '$')
    .replace('exec redis-server', `exec ${process.env['REDIS_SERVER_PATH'] ?? 'redis-server'}`)
    .replace('dir /data', `dir ${folder}\nport 0\nunixsocket ${socket}`);
  const [shell = '', ...flags] = services['redis']?.entrypoint ?? [];
  const child = spawn(shell, [...flags, command], {
    env: { PATH: process.env['PATH'], REDIS_PASSWORD: 'abc123' },
    stdio: ['ignore', 'pipe', 'ignore'],
    // A test that takes too long must not leave it behind.
    signal,
    killSignal: 'SIGKILL',
  });
  child.on('error', () => undefined);
  try {
    for await (const line of createInterface({ input: child.stdout }))
      if (/ready to accept/i.test(line)) break;
    const stranger = new Redis({ path: socket, lazyConnect: true, retryStrategy: () => null });
    stranger.on('error', () => undefined);
    await expect(stranger.get('x')).rejects.toThrow(/NOAUTH/);
    stranger.disconnect();
    const redis = new Redis({ path: socket, password: 'abc123', retryStrategy: () => null });
    const asked = await redis.config('GET', 'append*', 'maxmemory-policy', 'save');
    redis.disconnect();
    expect(pairs(asked)).toMatchObject({
      appendonly: 'yes',
      appendfsync: 'always',
      'maxmemory-policy': 'noeviction',
      save: '',
    });
  } finally {
    child.stdout.resume();
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await exited;
    await rm(folder, { recursive: true, force: true });
  }
});

function pairs(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : [])),
  );
}

const hasCompose = spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0;
test.runIf(hasCompose)('compose itself takes it', async () => {
  const { stdout } = await promisify(execFile)('docker', ['compose', 'config', '--services'], {
    cwd: root,
    env: { ...process.env, ...(await secrets()) },
  });
  expect(stdout.trim().split('\n').toSorted()).toEqual(Object.keys(services).toSorted());
});
