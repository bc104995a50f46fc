/** One event as a row of the list. Rows are recycled: each shows another event as the list is scrolled. */

import { el, icon, set, setText } from "../lib/dom.js";
import { clockTime, duration, eventId, nodeName, summary } from "../lib/format.js";
import { lookOf } from "../timeline/kinds.js";

let made = 0;

/**
 * @typedef {object} EventRowState what a row shows
 * @property {import("../timeline/timeline.js").TaskEvent} event
 * @property {number} position among the rows, from 0
 * @property {number} count of all rows
 * @property {number} offset milliseconds since the first event
 * @property {boolean} selected
 * @property {boolean} current whether it's the event of the moment that is looked at
 * @property {number | undefined} supersededBy the attempt that does it again
 */

export class EventRow {
  #shown = {};
  #shape = icon("info");
  #id = el("span", { class: "events-id mono" });
  #time = el("span", { class: "events-time mono" });
  #type = el("span", { class: "events-type" });
  #node = el("bdi", { class: "events-node" });
  #summary = el("bdi", { class: "events-summary" });
  #note = el("span", { class: "offscreen" });

  /** An empty row with an id of its own. */
  constructor() {
    const what = el("span", { class: "events-what" }, this.#node, this.#summary);
    const cells = [this.#id, this.#time, this.#shape, this.#type, what, this.#note];
    this.element = el(
      "div",
      { class: "events-row", role: "option", id: `events-row-${(made += 1)}` },
      ...cells,
    );
  }

  /**
   * Show an event; what it shows already is left alone.
   * @param {EventRowState} state
   */
  show(state) {
    const shown = this.#shown;
    this.#shown = state;
    const other = state.event !== shown.event;
    if (other) this.#showEvent(state);
    if (state.selected !== shown.selected) set(this.element, { "aria-selected": String(state.selected) });
    if (state.current !== shown.current) set(this.element, { "aria-current": state.current && "true" });
    if (other || state.supersededBy !== shown.supersededBy) this.#showSuperseded(state.supersededBy);
    if (state.position !== shown.position) set(this.element, { "aria-posinset": state.position + 1 });
    if (state.count !== shown.count) set(this.element, { "aria-setsize": state.count });
  }

  #showEvent({ event, offset }) {
    const look = lookOf(event.type);
    set(this.element, {
      class: `events-row tone-${look.tone}`,
      title: `${event.ts}, ${duration(offset)} after the start`,
    });
    set(this.#shape.firstChild, { href: `#i-${look.icon}` });
    setText(this.#id, eventId(event));
    setText(this.#time, clockTime(event.ts));
    setText(this.#type, event.type);
    setText(this.#node, nodeName(event));
    setText(this.#summary, summary(event));
  }

  #showSuperseded(attempt) {
    this.element.classList.toggle("events-superseded", attempt !== undefined);
    setText(this.#note, attempt === undefined ? "" : `superseded by attempt ${attempt}`);
  }
}
