// Looks at the settings, as Mediamill itself reads them.

import type * as ConfigModule from '../../src/config.ts';
import { missing, ok, warning } from './finding.ts';
import type { Finding } from './finding.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** All mistakes, and the settings if there is none. Needs the packages: zod reads them. */
export async function settings(
  env: Environment,
): Promise<{ findings: Finding[]; config: ConfigModule.Config | undefined }> {
  let module: typeof ConfigModule;
  try {
    module = await import('../../src/config.ts');
  } catch {
    return {
      findings: [warning('settings', 'cannot be read before the packages are installed', './scripts/setup')],
      config: undefined,
    };
  }
  try {
    const config = module.readConfig(env);
    const set = Object.keys(module.settings).filter((name) => env[name] !== undefined && env[name] !== '');
    const text = set.length === 0 ? 'all at their defaults' : `valid; set: ${set.join(', ')}`;
    return { findings: [ok('settings', text)], config };
  } catch (error) {
    if (!(error instanceof module.ConfigError)) throw error;
    // A headline, then one mistake a line.
    const mistakes = error.message.split('\n').slice(1);
    return {
      findings: mistakes.map((mistake) =>
        missing('settings', mistake.trim(), `correct or unset ${mistake.trim().split(':')[0]}`),
      ),
      config: undefined,
    };
  }
}
