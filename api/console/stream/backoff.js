/** How long to wait before trying again. */

const SHORTEST_MS = 1000;
const LONGEST_MS = 30_000;

/** Milliseconds after so many failures: from one second, doubling to thirty, less up to a half at random. */
export function backoff(failures) {
  return Math.min(SHORTEST_MS * 2 ** failures, LONGEST_MS) * (1 - Math.random() / 2);
}
