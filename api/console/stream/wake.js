/** Finding out that the world has gone on without this page. */

const TICK_MS = 5000;
const ASLEEP_MS = 20_000;

/**
 * Tell of a wake-up: the machine has slept, the network is back, or the page comes out of the browser's
 * cache, so that any connection may be dead without a sign. Tell every few seconds of a chance to look round.
 * @param {{wake: () => void, glance: () => void}} tell
 * @param {AbortSignal} signal ends it
 */
export function watchWakes({ wake, glance }, signal) {
  let due = Date.now() + TICK_MS;
  let steady = isVisible(); // a hidden page's timers are late by a minute without any sleep
  const timer = setInterval(() => {
    const late = Date.now() - due;
    due = Date.now() + TICK_MS;
    if (steady && late > ASLEEP_MS) wake();
    else glance();
    steady = isVisible();
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  addEventListener("online", wake, { signal });
  addEventListener("pageshow", (event) => event.persisted && wake(), { signal });
  document.addEventListener("visibilitychange", () => {
    steady = false;
    if (isVisible()) glance();
  }, { signal });
}

function isVisible() {
  return document.visibilityState === "visible";
}
