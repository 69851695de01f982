import { expect, it } from 'vitest';
import { byteGate, gateBySize } from '../../src/stores/byte-gate.ts';

it('lets in what there is room for, in the order of coming, and what is too large alone', async () => {
  const gate = byteGate(10);
  const inside: string[] = [];
  const leave = new Map<string, () => void>();
  const pass = (name: string, bytes: number) =>
    gate.pass(bytes, async () => {
      inside.push(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      leave.set(name, resolve);
      await promise;
    });
  const all = [pass('a', 6), pass('b', 4), pass('c', 1), pass('huge', 99), pass('d', 1)];
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect(inside).toEqual(['a', 'b']);
  leave.get('b')?.();
  await turn();
  expect(inside).toEqual(['a', 'b', 'c']);
  leave.get('a')?.();
  await turn();
  expect(inside).toHaveLength(3);
  leave.get('c')?.();
  await turn();
  expect(inside).toEqual(['a', 'b', 'c', 'huge']);
  leave.get('huge')?.();
  await turn();
  leave.get('d')?.();
  await Promise.all(all);
  await expect(gate.pass(5, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await gate.pass(10, async () => 'in')).toBe('in');
});

it('lets those go who no longer want to wait, and the next in their place', async () => {
  const gate = byteGate(10);
  const { promise: held, resolve: leave } = Promise.withResolvers<void>();
  const inside = gate.pass(6, () => held);
  const controller = new AbortController();
  const gone = gate.pass(8, async () => 'never', controller.signal);
  const behind = gate.pass(4, async () => 'behind');
  const reason = new Error('cancelled');
  controller.abort(reason);
  await expect(gone).rejects.toBe(reason);
  expect(await behind).toBe('behind');
  await expect(gate.pass(1, async () => 'never', controller.signal)).rejects.toBe(reason);
  leave();
  await inside;
  expect(await gate.pass(10, async () => 'all of it', new AbortController().signal)).toBe('all of it');
});

it('small ones pass beside large ones that go on slowly', async () => {
  const gate = gateBySize(2, byteGate(4), byteGate(10));
  const { promise: held, resolve: leave } = Promise.withResolvers<void>();
  const large = gate.pass(10, () => held);
  expect(await gate.pass(2, async () => 'small')).toBe('small');
  leave();
  await large;
});
