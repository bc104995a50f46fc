/** Event ids, and where a reader is in a log. Pure. */

/**
 * @typedef {object} EventId
 * @property {bigint} attempt
 * @property {bigint} seq
 */

/** Read `<attempt>-<seq>`; null if it isn't one. Each part goes up to 2^64 - 1, so they are BigInts. */
export function parseId(text) {
  const parts = /^(\d{1,20})-(\d{1,20})$/.exec(text);
  return parts && { attempt: BigInt(parts[1]), seq: BigInt(parts[2]) };
}

/** Compare two ids as numbers: below, at or above 0 as the first is before, at or after the second. */
export function compareIds(one, other) {
  const difference = one.attempt - other.attempt || one.seq - other.seq;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** A reader's place: after the last entry it has. */
export class Cursor {
  #at = { attempt: 0n, seq: 0n };
  #told = "";

  /** The id of the last entry; empty before the first. */
  get id() {
    return this.#at.seq ? `${this.#at.attempt}-${this.#at.seq}` : "";
  }

  /** Whether the entry with this id has come, or one after it. */
  has(id) {
    const asked = parseId(id);
    return asked !== null && compareIds(asked, this.#at) <= 0;
  }

  /** How many entries lie between here and that one, itself included; 0 if it isn't ahead. */
  behind(id) {
    const seq = parseId(id)?.seq ?? 0n;
    return seq > this.#at.seq ? Number(seq - this.#at.seq) : 0;
  }

  /**
   * Go to the next entry.
   * @returns {{before: string, missing: number} | null} where it was before, and how many entries are missing
   *   that no notice has told of; null if it isn't after this place: it came before, or is no id
   */
  advance(id) {
    const next = parseId(id);
    if (next === null || compareIds(next, this.#at) <= 0) return null;
    const before = `${this.#at.attempt}-${this.#at.seq}`;
    const missing = id === this.#told ? 0 : Math.max(Number(next.seq - this.#at.seq) - 1, 0);
    this.#at = next;
    return { before, missing };
  }

  /** A notice says that entries are missing before this one. Gives false if it was told before. */
  expectGap(firstAvailable) {
    const news = firstAvailable !== this.#told;
    this.#told = firstAvailable;
    return news;
  }

  /** Go back, for what came after that entry never was. Gives false if nothing came after it. */
  rewind(id) {
    const last = parseId(id);
    if (last === null || compareIds(last, this.#at) >= 0) return false;
    this.#at = last;
    return true;
  }
}
