/** Asking again and again, as long as somebody looks at the page. */

const RETRY_MS = 3000;
const SHARE = 10; // asking takes a tenth of the time at most

/**
 * Do some work now and then: not while the page is hidden, at once when it's seen again.
 * @param {() => Promise<void>} work
 * @param {{every: number, signal: AbortSignal, failed: (error: Error, retryAt: number) => void}} options
 *   `every`: so many milliseconds; `failed` is told what went wrong, and when by `Date.now()` it tries again
 * @returns {() => void} does it at once, or as soon as what is under way has ended
 */
export function poll(work, { every, signal, failed }) {
  let [timer, busy, again] = [0, false, false];
  const turn = async () => {
    clearTimeout(timer);
    again = busy;
    if (busy || signal.aborted) return;
    busy = true;
    const pause = await timed(work, { every, signal, failed });
    busy = false;
    if (again) turn();
    else if (!document.hidden && !signal.aborted) timer = setTimeout(turn, pause);
  };
  const seen = () => (document.hidden ? clearTimeout(timer) : turn());
  document.addEventListener("visibilitychange", seen, { signal });
  addEventListener("online", turn, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  turn();
  return turn;
}

async function timed(work, { every, signal, failed }) {
  const began = performance.now();
  try {
    await work();
    return Math.max(every, SHARE * (performance.now() - began));
  } catch (error) {
    if (!signal.aborted) failed(error, Date.now() + RETRY_MS);
    return RETRY_MS;
  }
}
