/**
 * The lanes' time axis: which stretch it shows, and where its ticks are. Pure.
 *
 * Times are milliseconds of the display clock.
 */

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((number) => number * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((number) => number * MINUTE),
  ...[1, 2, 6, 12, 24].map((number) => number * HOUR),
];
const SHORTEST = 10;
const HEADROOM = 1.06;
const TICK_PIXELS = 76;

/** A stretch of time on a width of pixels. */
export class Scale {
  /**
   * @param {number} from milliseconds at the left edge
   * @param {number} to milliseconds at the right edge
   * @param {number} left pixel of the left edge
   * @param {number} width pixels
   */
  constructor(from, to, left, width) {
    Object.assign(this, { from, to, left, width });
    this.perPixel = (to - from) / width;
  }

  /** The pixel of a time. */
  x(time) {
    return this.left + (time - this.from) / this.perPixel;
  }

  /** The time at a pixel. */
  time(x) {
    return this.from + (x - this.left) * this.perPixel;
  }

  /** Whether it shows the same stretch on the same pixels as another. */
  equals(other) {
    return ["from", "to", "left", "width"].every((name) => this[name] === other?.[name]);
  }
}

/** How far the axis reaches: to a task's end, or while it has none, to some headroom that grows in steps. */
export function extent(timeline, time) {
  const shown = timeline.clock.at(-1) ?? 0;
  return timeline.sealed ? Math.max(shown, SHORTEST) : grown(Math.max(shown, time) * HEADROOM);
}

/** The times of an axis that get a tick, with their labels. */
export function ticks(scale) {
  const step = STEPS.find((it) => it / scale.perPixel >= TICK_PIXELS) ?? STEPS.at(-1);
  const found = [];
  for (let time = Math.ceil(scale.from / step) * step; time <= scale.to; time += step) {
    found.push({ time, label: tickLabel(time, step) });
  }
  return found;
}

/** A time on the axis: `0 s`, `50 ms`, `2.5 s`, `1 min 30 s`, `2 h`. */
export function tickLabel(time, step) {
  if (time === 0) return "0 s";
  if (time < SECOND && step < 100) return `${time} ms`;
  if (time < MINUTE) return `${(time / SECOND).toFixed(decimals(step))} s`;
  const parts = [[time / HOUR, "h"], [(time % HOUR) / MINUTE, "min"], [(time % MINUTE) / SECOND, "s"]];
  const told = parts.map(([number, unit]) => [Math.floor(number), unit]).filter(([number]) => number > 0);
  return told.map(([number, unit]) => `${number} ${unit}`).join(" ");
}

function decimals(step) {
  if (step >= SECOND) return 0;
  return Math.max(0, 3 - Math.floor(Math.log10(step)));
}

/** The next of 1, 1.5, 2, 3, 5, 7.5, 10 … seconds, so that a growing axis changes seldom. */
function grown(time) {
  const power = 10 ** Math.floor(Math.log10(Math.max(time, SECOND)));
  return [1, 1.5, 2, 3, 5, 7.5, 10].find((number) => number * power >= time) * power;
}
