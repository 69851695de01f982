// What a schema found wrong, as fields and sentences for people.

import type { z } from 'zod';
import type { FieldError } from '../problems.ts';

type Issue = z.core.$ZodIssue;

/** One entry a mistake. `root` names what has no path of its own. */
export function fieldErrors(issues: readonly Issue[], root: string): FieldError[] {
  return issues.map((issue) => ({ field: issue.path.join('.') || root, message: messageOf(issue) }));
}

/** All mistakes in one line, for those who only read `detail`. */
export function describeFields(errors: readonly FieldError[]): string {
  return errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
}

/** zod's own words begin like this; a schema's own message is left as it is. */
const OWN_WORDS = /^(?:Too |Invalid |Unrecognized )/;
const MUST_BE = 'must be ';

function messageOf(issue: Issue): string {
  // The reason why a name is not allowed is inside: the issue itself only says "invalid key".
  if (issue.code === 'invalid_key' && issue.issues.length > 0) return issue.issues.map(messageOf).join(', ');
  if (!OWN_WORDS.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined')
        ? 'is missing'
        : `must be ${article(issue.expected)}`;
    case 'too_small':
      return `must be at least ${issue.minimum}${unit(issue.origin)}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${unit(issue.origin)}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
    case 'unrecognized_keys':
      return `there is no ${issue.keys.map((key) => JSON.stringify(key.slice(0, 100))).join(', ')} here`;
    case 'invalid_union':
      return 'options' in issue && issue.options !== undefined
        ? `${issue.discriminator} must be one of ${issue.options.join(', ')}`
        : (eitherOf(issue.errors.map(([first]) => first)) ?? issue.message);
    default:
      return issue.message;
  }
}

/** What the value itself may be, where every branch of a union says that. */
function eitherOf(branches: readonly (Issue | undefined)[]): string | undefined {
  const allowed: string[] = [];
  for (const branch of branches) {
    const message = branch === undefined || branch.path.length > 0 ? '' : messageOf(branch);
    if (!message.startsWith(MUST_BE)) return undefined;
    allowed.push(message.slice(MUST_BE.length));
  }
  return MUST_BE + [...new Set(allowed)].join(', or ');
}

function article(expected: string): string {
  const name = { int: 'whole number', nan: 'number' }[expected] ?? expected;
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}

function unit(origin: string): string {
  return { string: ' characters long', array: ' entries long' }[origin] ?? '';
}
