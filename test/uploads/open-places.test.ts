// Places of uploads that are begun, where who counts them may not answer.

import { expect, it } from 'vitest';
import { Problem } from '../../src/problems.ts';
import { openSqliteMeters } from '../../src/registers/sqlite-meters.ts';
import { createOpenPlaces } from '../../src/uploads/open-places.ts';

it('a place is given back where it was taken and no answer came, or where nothing was noted', async () => {
  const meters = await openSqliteMeters({ path: ':memory:' });
  let isLate = true;
  const places = createOpenPlaces({
    most: 1,
    partTtlSeconds: 60,
    meters: {
      async enter(...what) {
        const entered = await meters.enter(...what);
        if (isLate) throw new Problem('backend_unavailable', 'no answer');
        return entered;
      },
      renew: (...what) => meters.renew(...what),
      leave: (...what) => meters.leave(...what),
    },
  });
  const enter = (id: string, note = async (): Promise<void> => undefined) => places.enter(id, 'acme', note);
  await expect(enter('one')).rejects.toMatchObject({ code: 'backend_unavailable' });
  isLate = false;
  await expect(enter('two', () => Promise.reject(new Error('full')))).rejects.toThrow('full');
  await enter('three');
  await expect(enter('four')).rejects.toMatchObject({ code: 'quota_exceeded' });
  await places.leave('three', 'acme');
  await enter('four');
  await meters.close();
});
