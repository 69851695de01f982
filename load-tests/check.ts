// Answers that are wrong: a figure measured over wrong answers is worth nothing, so the run ends with one of these.

/** The server (or a floor) did not do what was asked of it. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed';
}

/** Throws CheckFailed unless `holds`. */
export function check(holds: boolean, message: string): asserts holds {
  if (!holds) throw new CheckFailed(message);
}

/** Throws CheckFailed unless both are the same number, string or flat list of these. */
export function checkEqual(what: string, actual: unknown, expected: unknown): void {
  const [came, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(came === wanted, `${what}: expected ${wanted}, came ${came}`);
}
