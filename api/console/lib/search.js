/** Searching ascending arrays. Pure. */

/**
 * How many items at an array's beginning hold: those that do come before those that don't.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => boolean} holds
 */
export function countWhile(items, holds) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How many of the ascending numbers are not above a bound: the index after the last of them.
 * @param {number[]} numbers
 * @param {number} bound
 */
export function upTo(numbers, bound) {
  return countWhile(numbers, (number) => number <= bound);
}

/** The last of the ascending numbers that is not above a bound; undefined if there is none. */
export function lastUpTo(numbers, bound) {
  return numbers[upTo(numbers, bound) - 1];
}
