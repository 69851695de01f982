// What a person must change where an address or a port cannot be listened on.

import type { Config } from '../config.ts';

/** `prefix` begins the names of the settings that say where. Undefined where `error` is no such mistake. */
export function listenMistake(error: unknown, config: Config, prefix: '' | 'ADMIN_'): string | undefined {
  const [host, port] = [`${prefix}HOST`, `${prefix}PORT`] as const;
  const address = `${config[host]}:${config[port]}`;
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'EADDRINUSE':
      return `${address} is in use by another program: stop that, or set ${port} to another number`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host}=${config[host]} is no address of this machine: set ${host} to one that it has, such as 127.0.0.1`;
    case 'EACCES':
      return `${address} may not be used by this user: set ${port} to 1024 or more`;
    default:
      return undefined;
  }
}
