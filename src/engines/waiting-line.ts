// First come, first served; with a count of those that do not wait patiently.

export interface Waiting {
  /** Not counted by the bound of the line, and not sent away with the others. */
  readonly patient: boolean;
}

export class WaitingLine<T extends Waiting> {
  readonly #items: T[] = [];
  #impatient = 0;

  get length(): number {
    return this.#items.length;
  }
  get impatient(): number {
    return this.#impatient;
  }
  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
    if (!item.patient) this.#impatient++;
  }

  /** Removing what is not there is harmless. */
  remove(item: T): void {
    const index = this.#items.indexOf(item);
    if (index < 0) return;
    this.#items.splice(index, 1);
    if (!item.patient) this.#impatient--;
  }

  /** Removes and returns those of which `which` says so. */
  take(which: (item: T) => boolean): T[] {
    const taken = this.#items.filter(which);
    for (const item of taken) this.remove(item);
    return taken;
  }
}
