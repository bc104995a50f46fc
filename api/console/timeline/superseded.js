/** Which events come again in a later attempt, for every moment. Pure. */

export class Superseded {
  #timeline = null;
  #taken = 0;
  #bySeq = new Map();

  /**
   * The attempt that does an event's work again, if that had begun at an index.
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./timeline.js").TaskEvent} event one of the timeline's
   * @param {number} at
   * @returns {number | undefined}
   */
  by(timeline, event, at) {
    this.#takeIn(timeline);
    const attempt = this.#bySeq.get(event.seq);
    return attempt && attempt.index <= at ? attempt.attempt : undefined;
  }

  #takeIn(timeline) {
    if (timeline !== this.#timeline) {
      [this.#timeline, this.#taken] = [timeline, 0];
      this.#bySeq.clear();
    }
    for (; this.#taken < timeline.attempts.length; this.#taken++) {
      const attempt = timeline.attempts[this.#taken];
      for (const seq of attempt.supersedes) if (!this.#bySeq.has(seq)) this.#bySeq.set(seq, attempt);
    }
  }
}
