// npm run keys -- create | list | revoke | limits | usage: the keys that a server asks for, and what tenants may use.

import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { accountOf } from '../src/access/accounts.ts';
import { isTenantName, SCOPES } from '../src/access/caller.ts';
import type { Scope, TenantLimits } from '../src/access/caller.ts';
import { createKeys } from '../src/access/keys.ts';
import type { ApiKey, Keys } from '../src/access/keys.ts';
import { createTenants, usualLimits } from '../src/access/tenants.ts';
import { ConfigError, readConfig } from '../src/config.ts';
import type { Config } from '../src/config.ts';
import { DEFAULT_TENANT } from '../src/jobs/job.ts';
import { enterPlace } from '../src/move/enter.ts';
import { Problem } from '../src/problems.ts';
import { openMeters, openRecords } from '../src/registers/open.ts';

const USAGE = `npm run keys -- COMMAND

  create [--tenant NAME] [--name TEXT] [--scopes ${SCOPES.join(',')}] [--expires 90d]
                          prints a new key, once. Without --scopes: all but machine. Without --tenant: ${DEFAULT_TENANT}
  list [--json]           all keys, without their secrets
  revoke ID…              no process takes them from a second later on
  limits TENANT [--requests-per-minute N] [--concurrent-requests N] [--active-jobs N] [--bytes-per-day N] [--minutes-per-day N]
                          sets and prints what the tenant may use: a number, none (no limit), or default (the setting)
  usage TENANT [--json]   what it used today (UTC), and its limits

It works while the server runs, and finds its records as the server does: by DATA_DIR, or by QUEUE and REDIS_URL.
`;

const DAY_MS = 86_400_000;
const UNITS = { h: DAY_MS / 24, d: DAY_MS, y: 365 * DAY_MS } as const;
const LIMIT_OPTIONS = {
  'requests-per-minute': 'requestsPerMinute',
  'concurrent-requests': 'concurrentRequests',
  'active-jobs': 'activeJobs',
  'bytes-per-day': 'bytesPerDay',
  'minutes-per-day': 'minutesPerDay',
} as const satisfies Record<string, keyof TenantLimits>;

type Options = Readonly<Record<string, string | boolean | undefined>>;
type Command = (config: Config, options: Options, names: readonly string[]) => Promise<void>;

const text = { type: 'string' } as const;
const json = { json: { type: 'boolean' } } as const;
const COMMANDS: Readonly<
  Record<string, { run: Command; options: Record<string, { type: 'string' | 'boolean' }> }>
> = {
  create: { run: create, options: { tenant: text, name: text, scopes: text, expires: text } },
  list: { run: list, options: json },
  revoke: { run: revoke, options: {} },
  limits: {
    run: limits,
    options: { ...json, ...Object.fromEntries(Object.keys(LIMIT_OPTIONS).map((name) => [name, text])) },
  },
  usage: { run: usage, options: json },
};

if (process.argv.some((word) => word === '--help' || word === '-h')) {
  process.stdout.write(USAGE);
  process.exit();
}
try {
  const [name = '', ...rest] = process.argv.slice(2);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined)
    throw new TypeError(name === '' ? 'Say what to do.' : `There is no command ${name}.`);
  const { values, positionals } = parseArgs({ args: rest, allowPositionals: true, options: command.options });
  await command.run(readConfig(process.env), values, positionals);
} catch (error) {
  if (error instanceof Problem) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
  const isMistake = error instanceof ConfigError || error instanceof TypeError;
  if (!isMistake) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}

async function create(config: Config, options: Options, names: readonly string[]): Promise<void> {
  if (names.length > 0) throw new TypeError(`What is ${names.join(' ')}? Write --name ${names[0]}.`);
  const tenant = tenantNamed(String(options['tenant'] ?? DEFAULT_TENANT));
  const name = String(options['name'] ?? 'unnamed');
  if (!/^[^\p{C}]{1,100}$/u.test(name)) throw new TypeError('--name takes 1 to 100 characters.');
  const scopes = scopesIn(options['scopes']);
  const expiresAt = expiryIn(options['expires']);
  const dataDir = resolve(config.DATA_DIR);
  const isNew = await access(dataDir).then(
    () => false,
    () => true,
  );
  await withKeys(config, async (keys) => {
    const isFirst = !(await keys.exist());
    const { key, text: shown } = await keys.create({ tenant, name, scopes, expiresAt });
    // On standard output nothing but the key, so that a script can take it.
    process.stderr.write(
      `Key ${key.id} of the tenant ${tenant}: ${scopes.join(', ')}; ${expiresAt === null ? 'never expires' : `expires ${date(expiresAt)}`}. It is shown this once:\n`,
    );
    process.stdout.write(`${shown}\n`);
    if (isFirst) process.stderr.write('It is the first: from now on the server asks everyone for a key.\n');
    if (config.QUEUE === 'bullmq') return;
    process.stderr.write(
      isNew
        ? `WARNING: DATA_DIR was not there and was made: ${dataDir}. A server with another DATA_DIR does not know this key.\n`
        : `It is kept in ${dataDir} (DATA_DIR).\n`,
    );
  });
}

async function list(config: Config, options: Options): Promise<void> {
  await withKeys(config, async (keys) => {
    const all: ApiKey[] = [];
    for (let after: string | undefined; ; ) {
      const page = await keys.list({ limit: 100, after });
      all.push(...page.items);
      if (page.next === null) break;
      after = page.next;
    }
    all.sort((left, right) => left.createdAt - right.createdAt);
    if (options['json'] === true) {
      print(all.map((key) => ({ ...key, secretHash: undefined })));
      return;
    }
    const rows = all.map((key) => [
      key.id,
      key.tenant,
      key.name,
      key.scopes.join(','),
      date(key.createdAt),
      key.lastUsedAt === null ? 'never' : date(key.lastUsedAt),
      stateOf(key),
    ]);
    table([['id', 'tenant', 'name', 'scopes', 'made', 'last used', 'state'], ...rows]);
  });
}

async function revoke(config: Config, _: Options, ids: readonly string[]): Promise<void> {
  if (ids.length === 0)
    throw new TypeError('Say which key: its id is what stands between mm_ and the next _.');
  await withKeys(config, async (keys) => {
    for (const id of ids) {
      const key = await keys.revoke(id);
      if (key === undefined) {
        process.stderr.write(`There is no key ${id}.\n`);
        process.exitCode = 1;
      } else process.stdout.write(`${key.id} (${key.name}) is revoked.\n`);
    }
  });
}

async function limits(config: Config, options: Options, names: readonly string[]): Promise<void> {
  const tenant = tenantNamed(names);
  const change = Object.fromEntries(
    Object.entries(LIMIT_OPTIONS).flatMap(([option, field]) => {
      const value = options[option];
      return value === undefined ? [] : [[field, limitIn(option, String(value))]];
    }),
  );
  using _ = await enterPlace(config);
  await using records = await closing(openRecords(config));
  const tenants = createTenants({ records: records.opened, defaults: usualLimits(config) });
  if (Object.keys(change).length > 0) await tenants.override(tenant, change);
  const holding = await tenants.limitsOf(tenant);
  if (options['json'] === true) print(holding);
  else
    table(Object.entries(LIMIT_OPTIONS).map(([option, field]) => [option, String(holding[field] ?? 'none')]));
}

async function usage(config: Config, options: Options, names: readonly string[]): Promise<void> {
  const tenant = tenantNamed(names);
  using _ = await enterPlace(config);
  await using records = await closing(openRecords(config));
  await using meters = await closing(openMeters(config));
  const [bytes, minutes] = await Promise.all(
    (['bytes', 'minutes'] as const).map((kind) =>
      meters.opened.spent(accountOf(kind, tenant, Date.now()).name),
    ),
  );
  const tenants = createTenants({ records: records.opened, defaults: usualLimits(config) });
  const { bytesPerDay, minutesPerDay } = await tenants.limitsOf(tenant);
  if (options['json'] === true) {
    print({ tenant, bytes, minutes, bytesPerDay, minutesPerDay });
    return;
  }
  table([
    ['bytes today', String(bytes), `of ${bytesPerDay ?? 'any number'}`],
    ['minutes today', (minutes ?? 0).toFixed(1), `of ${minutesPerDay ?? 'any number'}`],
  ]);
}

function tenantNamed(given: string | readonly string[]): string {
  const [name, ...more] = typeof given === 'string' ? [given] : given;
  if (name === undefined || more.length > 0) throw new TypeError('Name one tenant.');
  if (!isTenantName(name))
    throw new TypeError(
      `${JSON.stringify(name)} cannot name a tenant: 1 to 64 of a-z, 0-9, - and _, the first no sign.`,
    );
  return name;
}

function scopesIn(given: string | boolean | undefined): readonly Scope[] {
  if (given === undefined) return SCOPES.filter((scope) => scope !== 'machine');
  const wanted = String(given).split(',');
  const unknown = wanted.filter((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown.length > 0)
    throw new TypeError(
      `There is no scope ${unknown.map((scope) => JSON.stringify(scope)).join(', ')}. Scopes are ${SCOPES.join(', ')}.`,
    );
  return SCOPES.filter((scope) => wanted.includes(scope));
}

function expiryIn(given: string | boolean | undefined): number | null {
  if (given === undefined) return null;
  const [, number, unit] = /^([1-9]\d{0,4})([hdy])$/.exec(String(given)) ?? [];
  if (number === undefined) throw new TypeError('--expires takes hours, days or years: 12h, 90d, 1y.');
  return Date.now() + Number(number) * UNITS[unit as keyof typeof UNITS];
}

/** Null: no limit. Undefined: as the settings say. */
function limitIn(option: string, value: string): number | null | undefined {
  if (value === 'none') return null;
  if (value === 'default') return undefined;
  if (!/^[1-9]\d{0,14}$/.test(value))
    throw new TypeError(`--${option} takes a whole number from 1 on, none, or default.`);
  return Number(value);
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return `revoked ${date(revokedAt)}`;
  if (expiresAt === null) return 'valid';
  return `${Date.now() < expiresAt ? 'until' : 'expired'} ${date(expiresAt)}`;
}

function date(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}

async function withKeys(config: Config, work: (keys: Keys) => Promise<void>): Promise<void> {
  using _ = await enterPlace(config);
  await using records = await closing(openRecords(config));
  await work(createKeys({ records: records.opened }));
}

async function closing<T extends { close(): Promise<void> }>(
  opening: Promise<T>,
): Promise<AsyncDisposable & { readonly opened: T }> {
  const opened = await opening;
  return { opened, [Symbol.asyncDispose]: () => opened.close() };
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

function table(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
}
