// The kinds of values that settings have, as text of the environment is read.

import { z } from 'zod';

/** Bytes. */
export const MiB = 1024 * 1024;
/** A whole number. */
export const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
/** Undefined for `auto`, which is decided later. */
export const auto = <T extends z.ZodType>(schema: T) =>
  z.union([z.literal('auto').transform(() => undefined), schema]).optional();
export const flag = z.stringbool({ error: 'must be true or false' });
/** Names of a list, each once; for `list`. */
export const namesOf =
  <const Name extends string>(names: readonly Name[]) =>
  (text: string): readonly Name[] => {
    const given = text.split(',').map((name) => name.trim());
    const wrong = given.find((name) => !names.includes(name as Name));
    if (wrong !== undefined || text.trim() === '') {
      throw new Error(`must be some of ${names.map((name) => `\`${name}\``).join(', ')}, comma-separated`);
    }
    return names.filter((name) => given.includes(name));
  };
/** Text that `read` takes apart; its Error's message is the mistake. */
export const list = <T>(read: (text: string) => T) =>
  z.string().transform((text, context): T => {
    try {
      return read(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });
