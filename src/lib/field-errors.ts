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

function messageOf(issue: Issue): string {
  // The reason why a name is not allowed is inside: the issue itself only says "invalid key".
  if (issue.code === 'invalid_key' && issue.issues.length > 0) return issue.issues.map(messageOf).join(', ');
  return issue.message;
}
