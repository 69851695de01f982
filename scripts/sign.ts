// npm run sign -- OPTIONS SOURCE: prints the signed path of an image, by the keys in URL_KEYS.

import { parseArgs } from 'node:util';
import { ConfigError, readConfig } from '../src/config.ts';
import { imageOptions, signedPath } from '../src/lib/signed-url.ts';
import { Problem } from '../src/problems.ts';

const USAGE = `npm run sign -- [--expires SECONDS] [--key ID] [--base64] OPTIONS SOURCE

  OPTIONS    such as 'width=320&format=webp', or - for none
  SOURCE     upload:ID, or an https URL
  --expires  the address is good for so many seconds from now
  --key      the id of the key in URL_KEYS, as ID or TENANT/ID; by default the first
  --base64   writes the source as base64url: survives proxies that touch what is percent-encoded
`;

const isHelp = process.argv.slice(2).some((word) => word === '--help' || word === '-h');
try {
  process.stdout.write(isHelp ? USAGE : `${sign(process.argv.slice(2))}\n`);
} catch (error) {
  const isMistake = error instanceof ConfigError || error instanceof Problem || error instanceof TypeError;
  if (!isMistake) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}

function sign(args: readonly string[]): string {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { expires: { type: 'string' }, key: { type: 'string' }, base64: { type: 'boolean' } },
  });
  const [text, source, ...more] = positionals;
  if (text === undefined || source === undefined || more.length > 0)
    throw new TypeError('Options and source are needed, in quotes, and nothing else.');
  const keys = readConfig(process.env).URL_KEYS ?? [];
  const key =
    values.key === undefined
      ? keys[0]
      : keys.find(({ tenant, id }) => values.key === id || values.key === `${tenant}/${id}`);
  if (key === undefined) throw new TypeError('URL_KEYS is not set, or has no such key.');
  const options = new Map(imageOptions(text));
  if (values.expires !== undefined) {
    if (!/^\d{1,9}$/.test(values.expires)) throw new TypeError('--expires takes whole seconds.');
    options.set('expires', String(Math.floor(Date.now() / 1000) + Number(values.expires)));
  }
  return signedPath(
    { options, source },
    { key, ...(values.base64 !== undefined && { base64: values.base64 }) },
  );
}
