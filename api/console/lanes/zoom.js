/** Which stretch of the axis is looked at: all of it, or a part. Times are as of lanes_scale.js. Pure. */

const SHORTEST = 5;

export class Zoom {
  #part = null;
  #inside = true;

  /** Whether a part is looked at. */
  get some() {
    return this.#part !== null;
  }

  /** The stretch of an axis that reaches from 0 to `all`. */
  stretch(all) {
    const { from, to } = this.#part ?? { from: 0, to: all };
    const span = Math.min(to - from, all);
    const start = Math.min(Math.max(from, 0), all - span);
    return { from: start, to: start + span };
  }

  /** Look at all of it. */
  fit() {
    this.#part = null;
  }

  /** Show `factor` times as much around a time, which stays where it is. */
  by(factor, around, all) {
    const { from, to } = this.stretch(all);
    const span = Math.max((to - from) * factor, SHORTEST);
    const start = around - ((around - from) / (to - from)) * span;
    this.#part = span < all ? { from: start, to: start + span } : null;
  }

  /** Look further on, or back, by so many milliseconds. */
  pan(by, all) {
    if (!this.#part) return;
    const { from, to } = this.stretch(all);
    this.#part = { from: from + by, to: to + by };
    this.#part = this.stretch(all);
  }

  /** Turn the page when the playhead runs out of sight; who looks elsewhere is left in peace. */
  follow(time, all) {
    const { from, to } = this.stretch(all);
    const ranOut = this.#part && this.#inside && (time > to || time < from);
    if (ranOut) this.#part = { from: time - (to - from) / 10, to: time + ((to - from) * 9) / 10 };
    const now = this.stretch(all);
    this.#inside = time >= now.from && time <= now.to;
  }
}
