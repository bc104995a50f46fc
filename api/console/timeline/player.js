/**
 * Player: which moment of a timeline is shown. It follows the end (live), stands at a moment, or plays on from it.
 * Pure but for the clock it is given.
 */

import { LONGEST_IDLE } from "./timeline.js";

/** How many times as fast as it was a replay can be. */
export const SPEEDS = [1, 2, 5, 10, 25, 50];

/**
 * @typedef {object} Moment what the views show
 * @property {import("./timeline.js").Timeline} timeline
 * @property {number} at index of the last event that has come; -1 before the first
 * @property {number} time milliseconds on the display clock
 * @property {number} elapsed milliseconds since the submit as they really were, idle stretches and all
 * @property {boolean} live whether it follows the end
 */

export class Player {
  /** @type {"live" | "paused" | "playing"} */
  mode = "live";
  speed = 1;
  #timeline;
  #now;
  #at = -1;
  #time = 0;
  #since = 0;

  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {{now: () => number, serverNow: () => number}} clocks milliseconds: of this page, and Unix time of the
   *   pods as far as it's known
   */
  constructor(timeline, clocks) {
    this.#timeline = timeline;
    this.#now = clocks;
  }

  /** Go on with another timeline, for the log was rolled back. */
  replace(timeline) {
    this.#timeline = timeline;
    if (this.mode !== "live" && this.#at > timeline.last) this.seek(timeline.last);
  }

  /** @returns {Moment} */
  moment() {
    if (this.mode === "playing") this.#advance();
    const timeline = this.#timeline;
    const live = this.mode === "live";
    const [at, time] = live ? [timeline.last, this.#liveTime()] : [this.#at, this.#time];
    return { timeline, at, time, elapsed: live ? this.#liveElapsed() : time + timeline.cutAt(at), live };
  }

  /** Whether the picture changes though no event comes. */
  get moving() {
    return this.mode === "playing" || (this.mode === "live" && !this.#timeline.sealed && this.#timeline.last >= 0);
  }

  /** Follow the end. */
  goLive() {
    this.mode = "live";
  }

  /** Stand at an event, or at a time after it and before the next one. */
  seek(index, time) {
    const { clock, last } = this.#timeline;
    this.mode = "paused";
    this.#at = Math.min(Math.max(index, -1), last);
    const own = this.#at < 0 ? 0 : clock[this.#at];
    this.#time = Math.max(time ?? own, own);
  }

  /** Stand at a time of the display clock. */
  seekTime(time) {
    const bounded = Math.min(Math.max(time, 0), this.#end());
    this.seek(this.#timeline.indexAt(bounded), bounded);
  }

  /** Play on from where it stands; from the end, from the start. */
  play() {
    const { at, time } = this.moment();
    this.seek(at, time);
    if (this.#at >= this.#timeline.last) this.seek(Math.min(0, this.#timeline.last));
    this.mode = "playing";
    this.#since = this.#now.now();
  }

  /** Stand still. */
  pause() {
    const { at, time } = this.moment();
    this.seek(at, time);
  }

  /** Play at another speed from now on. */
  setSpeed(speed) {
    if (this.mode === "playing") this.#advance();
    this.speed = speed;
  }

  /** Stand so many events later, or earlier. */
  step(events) {
    this.seek(Math.max(this.moment().at + events, 0));
  }

  #advance() {
    const now = this.#now.now();
    this.#time += (now - this.#since) * this.speed;
    this.#since = now;
    this.#at = Math.max(this.#at, this.#timeline.indexAt(this.#time));
    if (this.#time < this.#end()) return;
    if (this.#timeline.sealed) this.seek(this.#timeline.last);
    else this.goLive();
  }

  #end() {
    return this.#timeline.clock.at(-1) ?? 0;
  }

  #liveTime() {
    const { last } = this.#timeline;
    const passed = this.#sinceLast();
    return this.#end() + (this.#timeline.isIdleAfter(last) ? Math.min(passed, LONGEST_IDLE) : passed);
  }

  #liveElapsed() {
    return this.#end() + this.#timeline.cutAt(this.#timeline.last) + this.#sinceLast();
  }

  /** Milliseconds since the last event; none once the log is sealed. */
  #sinceLast() {
    const { events, last, sealed } = this.#timeline;
    return sealed || last < 0 ? 0 : Math.max(0, this.#now.serverNow() - Date.parse(events[last].ts));
  }
}
