// The environment of a script that tests start: nothing of the shell's but where programs are found, and compiled code.

/** Without the cache each start compiles all that it imports anew, a third of what it takes. */
export const BARE_ENV: Readonly<Record<string, string | undefined>> = {
  PATH: process.env['PATH'],
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
};
