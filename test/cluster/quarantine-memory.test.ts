import { expect, it } from 'vitest';
import { QuarantineMemory } from '../../src/cluster/quarantine-memory.ts';

const hint = (fingerprint: string, until: number) => ({ topic: 'quarantine', fingerprint, until }) as const;

it('remembers what still holds, the latest word on each', () => {
  const memory = new QuarantineMemory();
  memory.hear(hint('a', 10), 0);
  memory.hear(hint('b', 20), 0);
  memory.hear(hint('a', 30), 0);
  memory.hear({ topic: 'work', lane: 'image' }, 0);
  expect(memory.current(5)).toEqual([hint('b', 20), hint('a', 30)]);
  expect(memory.current(20)).toEqual([hint('a', 30)]);
});

it('does not grow for ever', () => {
  const memory = new QuarantineMemory();
  for (let i = 0; i < 1500; i++) memory.hear(hint(String(i), 100), 0);
  expect(memory.current(0)).toHaveLength(1000);
  expect(memory.current(0)[0]).toEqual(hint('500', 100));
});
