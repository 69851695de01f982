// `mediamill-decisions`: what was decided and why, as one header.

/** The sentences, percent-encoded and joined by `, `. Split at commas first, then decode: those of a sentence are encoded, too. */
export function decisionsHeader(decisions: readonly string[]): string {
  return decisions.map((decision) => encodeURI(decision.toWellFormed()).replaceAll(',', '%2C')).join(', ');
}
