/** Narrowing a timeline's events to those that match, a little at a time. Pure but for the clock. */

import { eventId, nodeName, summary } from "../lib/format.js";
import { upTo } from "../lib/search.js";
import { familyOf } from "../timeline/kinds.js";

const BETWEEN_LOOKS = 32; // events matched between two looks at the clock

export class EventFilter {
  #timeline = null;
  #text = "";
  #family = "";
  #matches = [];
  #scanned = 0;

  /** Whether anything is left out. */
  get active() {
    return this.#text !== "" || this.#family !== "";
  }

  /** Let through only events of a family (empty: of all) that have the text in id, type, node or summary. */
  narrow(text, family) {
    [this.#text, this.#family] = [text.trim().toLowerCase(), family];
    this.#restart();
  }

  /**
   * Match what hasn't been looked at yet, for so many milliseconds at most.
   * @returns {boolean} whether all has been looked at
   */
  scan(timeline, milliseconds) {
    if (timeline !== this.#timeline) {
      this.#timeline = timeline;
      this.#restart();
    }
    if (!this.active) return true;
    const deadline = performance.now() + milliseconds;
    while (this.#scanned < timeline.events.length && performance.now() < deadline)
      this.#scanSome(timeline.events);
    return this.#scanned === timeline.events.length;
  }

  /** How many events up to an index are let through. */
  countUpTo(at) {
    return this.active ? upTo(this.#matches, at) : at + 1;
  }

  /** The index of the event at a position among those let through. */
  indexAt(position) {
    return this.active ? this.#matches[position] : position;
  }

  /** The position of the event at an index, or of the last one before it; -1 if there is none. */
  positionOf(index) {
    return this.countUpTo(index) - 1;
  }

  #restart() {
    [this.#matches, this.#scanned] = [[], 0];
  }

  #scanSome(events) {
    const end = Math.min(events.length, this.#scanned + BETWEEN_LOOKS);
    for (; this.#scanned < end; this.#scanned++) {
      if (this.#lets(events[this.#scanned])) this.#matches.push(this.#scanned);
    }
  }

  #lets(event) {
    if (this.#family && familyOf(event.type) !== this.#family) return false;
    if (!this.#text) return true;
    const text = `${eventId(event)} ${event.type} ${nodeName(event)} ${summary(event)}`;
    return text.toLowerCase().includes(this.#text);
  }
}
