// Lua scripts of one connection: sent once, called by their hash.

import type { Redis } from 'ioredis';

export type Script = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** Makes a function of each script (Lua, as EVAL takes it). Sends it again where Redis has forgotten it. */
export function scriptsOf<const Scripts extends Readonly<Record<string, string>>>(
  redis: Redis,
  scripts: Scripts,
): Readonly<Record<keyof Scripts, Script>> {
  const entries = Object.entries(scripts).map(([name, lua]): [string, Script] => {
    // ioredis calls by hash, and sends the text where that is not known.
    const command = `mediamill:${name}`;
    redis.defineCommand(command, { lua });
    const call = (redis as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[command];
    if (call === undefined) throw new Error(`the script ${name} could not be defined`);
    return [name, (keys, args) => call.call(redis, keys.length, ...keys, ...args)];
  });
  return Object.fromEntries(entries) as Record<keyof Scripts, Script>;
}
