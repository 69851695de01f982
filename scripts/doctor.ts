// `npm run doctor`: says what is there and what is not, what it means, and what cures it. `--json` for programs.
// Exits 1 if something necessary is missing. Changes nothing.

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ffmpeg, guards } from './doctor/ffmpeg.ts';
import { fleet } from './doctor/fleet.ts';
import { line, warning } from './doctor/finding.ts';
import type { Finding } from './doctor/finding.ts';
import { node, packages, sharp } from './doctor/packages.ts';
import { dataFolder, port } from './doctor/place.ts';
import { settings } from './doctor/settings.ts';

const root = resolve(import.meta.dirname, '..');
// Where the program itself runs: DATA_DIR is relative to it.
process.chdir(root);

const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  engines: { node: string };
};
const { findings: told, config } = await settings(process.env);
const paths = {
  ffmpeg: config?.FFMPEG_PATH ?? (process.env['FFMPEG_PATH'] || 'ffmpeg'),
  ffprobe: config?.FFPROBE_PATH ?? (process.env['FFPROBE_PATH'] || 'ffprobe'),
};
const looks: readonly Promise<Finding | Finding[]>[] = [
  packages(root),
  sharp(),
  ffmpeg(paths),
  guards(process.platform),
  ...(config === undefined
    ? []
    : [
        dataFolder(config.DATA_DIR),
        ...(config.ROLES.includes('web') ? [port(config.HOST, config.PORT)] : []),
        ...(config.ADMIN_PORT === undefined ? [] : [port(config.ADMIN_HOST, config.ADMIN_PORT, 'ADMIN_')]),
        fleet(config),
      ]),
];
const findings = [node(process.version, engines.node), ...(await Promise.all(looks)).flat(), ...told];
if (config === undefined) {
  findings.push(
    warning('place', 'data folder and port were not looked at: the settings that name them cannot be read'),
  );
}
const healthy = findings.every(({ state }) => state !== 'missing');

if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ ok: healthy, findings }, undefined, 2));
} else {
  for (const finding of findings) console.log(line(finding));
  console.log(
    healthy
      ? 'Mediamill can run here.'
      : 'Mediamill cannot do its work here until the lines that begin with ✗ are cured.',
  );
}
process.exitCode = healthy ? 0 : 1;
