import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { useFolder, useFolderAlone } from '../../src/sqlite/folder-use.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'folder-use-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Another process that takes the folder, says so, and keeps it until it is killed. */
async function another(how: 'useFolder' | 'useFolderAlone'): Promise<() => Promise<unknown>> {
  const file = resolve(import.meta.dirname, '../../src/sqlite/folder-use.ts');
  const code = `import { ${how} } from ${JSON.stringify(file)};
    globalThis.held = ${how}(${JSON.stringify(folder)});
    console.log(held === undefined ? 'refused' : 'held');
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  expect(String((await once(child.stdout, 'data'))[0])).toBe('held\n');
  return () => {
    child.kill('SIGKILL');
    return exited;
  };
}

it('lets any number of servers work in a folder, and nobody else meanwhile', () => {
  {
    using first = useFolder(folder);
    using _ = useFolder(folder);
    expect(useFolderAlone(folder)).toBeUndefined();
    first[Symbol.dispose]();
    expect(useFolderAlone(folder)).toBeUndefined();
  }
  using alone = useFolderAlone(folder);
  expect(alone).toBeDefined();
  expect(useFolderAlone(folder)).toBeUndefined();
  expect(() => useFolder(folder)).toThrow(/is being moved to another place/);
});

it('holds between processes, and is free as soon as one dies', async () => {
  const endServer = await another('useFolder');
  expect(useFolderAlone(folder)).toBeUndefined();
  useFolder(folder)[Symbol.dispose]();
  await endServer();
  const endMove = await another('useFolderAlone');
  expect(() => useFolder(folder)).toThrow(/is being moved/);
  await endMove();
  useFolder(folder)[Symbol.dispose]();
});

it('makes a file that is of nobody else', async () => {
  useFolder(folder)[Symbol.dispose]();
  expect((await stat(join(folder, 'in-use.sqlite'))).mode & 0o777).toBe(0o600);
});
