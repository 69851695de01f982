// What is read of the system's processes: from texts, and of real ones.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  cpuSeconds,
  parsePs,
  parseStat,
  readTree,
  rssBytes,
  survivors,
} from '../../load-tests/process-tree.ts';

const fields = '1 7 7 0 -1 4194560 100 200 0 0 150 50 30 20 20 0 1 0 987654 1000 2000';

describe('/proc/[pid]/stat', () => {
  it('is read behind whatever the program calls itself', () => {
    expect(parseStat(`42 (a) S 9 (b) S ${fields}`)).toEqual({
      pid: 42,
      parent: 1,
      name: 'a) S 9 (b',
      started: '987654',
      // utime + stime + cutime + cstime, in hundredths of a second
      cpuSeconds: 2.5,
      rssBytes: 0,
    });
  });

  it.each(['', `42 (node) Z ${fields}`])('is nothing for %j', (stat) => {
    expect(parseStat(stat)).toBeUndefined();
  });
});

it('ps of macOS is read', () => {
  const output = [
    '  501   1 Ss    0:00.07  2048 Sat Nov 22 15:25:00 2026     /sbin/launchd',
    '  777 501 R  1-02:03:04.50 1024 Sun Nov 23 01:02:03 2026     /Applications/My Tools/ffmpeg',
    '  778 501 Z     0:00.00     0 Sun Nov 23 01:02:03 2026     (ffmpeg)',
    '',
  ].join('\n');
  expect(parsePs(output)).toEqual([
    {
      pid: 501,
      parent: 1,
      name: 'launchd',
      started: 'Sat Nov 22 15:25:00 2026',
      cpuSeconds: 0.07,
      rssBytes: 2048 * 1024,
    },
    {
      pid: 777,
      parent: 501,
      name: 'ffmpeg',
      started: 'Sun Nov 23 01:02:03 2026',
      cpuSeconds: 93_784.5,
      rssBytes: 1024 * 1024,
    },
  ]);
});

it('a tree has the CPU time of living and of ended descendants, and their memory', async () => {
  // It burns 0.2 s in a child that ends and is waited for, then 0.2 s in one that lives on.
  const burn = 'const b = process.cpuUsage(); while (process.cpuUsage(b).user < 2e5);';
  const script = `
    const { spawn, spawnSync } = require('node:child_process');
    spawnSync(process.execPath, ['-e', ${JSON.stringify(burn)}]);
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(`${burn} console.log('done'); setInterval(() => {}, 1e6)`)}]);
    child.stdout.once('data', () => console.log(child.pid));
    process.on('SIGTERM', () => { child.once('exit', () => process.exit()); child.kill(); });`;
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const tree = await readTree(parent.pid as number);
  expect(tree.map(({ pid }) => pid)).toEqual([parent.pid, Number(line.toString())]);
  // Where `ps` is used, ended children are lost to it.
  expect(cpuSeconds(tree)).toBeGreaterThan(process.platform === 'linux' ? 0.39 : 0.19);
  expect(rssBytes(tree)).toBeGreaterThan(40e6);
  expect(await survivors(tree)).toHaveLength(2);

  parent.kill();
  await once(parent, 'exit');
  expect(await survivors(tree)).toEqual([]);
  expect(await readTree(parent.pid as number)).toEqual([]);
});
