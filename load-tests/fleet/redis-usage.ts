// What a Redis has done so far, as it tells itself by INFO.

import { Redis } from 'ioredis';
import { CheckFailed } from '../check.ts';

export interface RedisUse {
  /** Commands, those that scripts make counted too. */
  readonly commands: number;
  /** Seconds of its main thread, which does them all. */
  readonly cpuSeconds: number;
  /** Bytes from and to clients. */
  readonly bytes: number;
  /** Open now, without the one that asks. */
  readonly connections: number;
  /** By command, in lower case. */
  readonly calls: Readonly<Record<string, number>>;
}

export interface RedisGauge extends Disposable {
  read(): Promise<RedisUse>;
}

export function gaugeRedis(url: string): RedisGauge {
  const redis = new Redis(url);
  return {
    async read() {
      const info = await redis.info('everything');
      const number = (name: string): number => {
        const [, value] = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info) ?? [];
        if (value === undefined) throw new CheckFailed(`INFO of Redis has no ${name}`);
        return Number(value);
      };
      const calls = [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
      return {
        commands: number('total_commands_processed'),
        cpuSeconds: number('used_cpu_user_main_thread') + number('used_cpu_sys_main_thread'),
        bytes: number('total_net_input_bytes') + number('total_net_output_bytes'),
        connections: number('connected_clients') - 1,
        calls: Object.fromEntries(calls.map(([, name = '', count]) => [name, Number(count)])),
      };
    },
    [Symbol.dispose]: () => redis.disconnect(),
  };
}
