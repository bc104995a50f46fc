/** All events up to the moment, as a list to look through, to narrow, to select from, and to follow. */

import { el, icon, set, setText } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { WindowedList } from "../lib/window.js";
import { FAMILIES } from "../timeline/kinds.js";
import { Superseded } from "../timeline/superseded.js";
import { EventFilter } from "./filter.js";
import { EventRow } from "./row.js";

const SCAN_MS = 6; // of each picture, so that narrowing a long log leaves time to draw
const NARROW = 600; // pixels below which an event takes two lines

/**
 * The list of events.
 * @param {{select: (index: number) => void}} actions
 * @returns {{element: HTMLElement, show(moment: import("../timeline/player.js").Moment): void,
 *   select(index: number): void}}
 */
export function eventsView(actions) {
  return new EventsView(actions);
}

class EventsView {
  #actions;
  #filter = new EventFilter();
  #superseded = new Superseded();
  #list = this.#makeList();
  #search = el("input", {
    type: "search",
    placeholder: "Type, node or text",
    "aria-label": "Find in events",
  });
  #family = el(
    "select",
    { "aria-label": "Kind of events" },
    ...FAMILIES.map(([value, text]) => el("option", { value, text })),
  );
  #count = el("span", { class: "events-count number muted" });
  #found = el("span", { class: "offscreen", role: "status" });
  #jump = el(
    "button",
    { type: "button", class: "events-jump", hidden: true },
    icon("chevron-down"),
    el("span"),
  );
  #empty = el("p", { class: "events-empty muted", hidden: true });
  #moment = null;
  #selected = -1;
  #following = true;
  #announce = false;

  constructor(actions) {
    this.#actions = actions;
    this.#search.addEventListener("input", () => this.#narrow());
    this.#family.addEventListener("change", () => this.#narrow());
    this.#jump.addEventListener("click", () => this.#follow());
    const tools = el("div", { class: "events-tools" }, this.#search, this.#family, this.#count);
    this.element = el(
      "div",
      { class: "events" },
      tools,
      this.#list.element,
      this.#empty,
      this.#jump,
      this.#found,
    );
  }

  /** Show the events up to a moment. */
  show(moment) {
    if (!moment.live && moment.at !== this.#moment?.at) this.#following = true;
    if (this.#selected > moment.timeline.last) this.#selected = -1;
    this.#moment = moment;
    const done = this.#filter.scan(moment.timeline, SCAN_MS);
    this.#list.count = this.#filter.countUpTo(moment.at);
    if (this.#following) this.#list.toEnd();
    this.#list.draw();
    this.#point();
    this.#tell(done);
    if (!done) this.#list.schedule();
  }

  /** Select the event at an index, and have it in sight if it's in the list. */
  select(index) {
    if (index === this.#selected) return;
    this.#selected = index;
    if (!this.#moment || index > this.#moment.at) return this.#list.schedule();
    const position = this.#filter.positionOf(index);
    if (this.#filter.indexAt(position) === index) this.#reveal(position);
    this.#list.schedule();
  }

  #makeList() {
    const tall = matchMedia("(pointer: coarse)");
    const owner = {
      make: () => new EventRow(),
      fill: (row, position) => this.#fill(row, position),
      rowHeightAt: (width) => (tall.matches || width < NARROW ? 44 : 28),
      redraw: () => this.#moment && this.show(this.#moment),
    };
    const props = { class: "events-list", role: "listbox", tabindex: 0, "aria-label": "Events" };
    const list = new WindowedList(owner, props);
    list.onScroll = (isAtEnd) => (this.#following = isAtEnd);
    list.element.addEventListener("keydown", (event) => this.#key(event));
    list.element.addEventListener("click", (event) => this.#click(event));
    return list;
  }

  #fill(row, position) {
    const { timeline, at, live } = this.#moment;
    const index = this.#filter.indexAt(position);
    const event = timeline.events[index];
    row.show({
      event,
      position,
      count: this.#list.count,
      offset: Date.parse(event.ts) - Date.parse(timeline.events[0].ts),
      selected: index === this.#selected,
      current: !live && index === at,
      supersededBy: this.#superseded.by(timeline, event, at),
    });
    row.element.dataset.index = index;
  }

  #narrow() {
    this.#filter.narrow(this.#search.value, this.#family.value);
    [this.#following, this.#announce] = [true, true];
    this.#list.schedule();
  }

  #follow() {
    this.#following = true;
    this.#list.element.focus({ preventScroll: true });
    this.#list.schedule();
  }

  #reveal(position) {
    this.#list.reveal(position);
    this.#following = this.#list.isAtEnd;
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.#list.count) return;
    const last = this.#list.count - 1;
    const from = this.#selected < 0 ? last + 1 : this.#filter.positionOf(this.#selected);
    const to = KEYS[event.key]?.(from, last, this.#list.page);
    if (to === undefined) return;
    event.preventDefault();
    const position = Math.min(Math.max(to, 0), last);
    this.#reveal(position);
    this.#actions.select(this.#filter.indexAt(position));
  }

  #click(event) {
    const row = event.target.closest("[role=option]");
    if (row) this.#actions.select(Number(row.dataset.index));
  }

  /** Tell assistive technology where in the list one is. */
  #point() {
    const row = this.#list.element.querySelector("[aria-selected=true]");
    set(this.#list.element, { "aria-activedescendant": row?.id });
  }

  #tell(done) {
    const [shown, all] = [this.#list.count, this.#moment.at + 1];
    setText(
      this.#count,
      this.#filter.active ? `${shown.toLocaleString("en")} of ${count(all, "event")}` : count(all, "event"),
    );
    setText(this.#jump.lastChild, this.#moment.live ? "To the end" : "To the moment");
    set(this.#jump, { hidden: this.#following || shown === 0 });
    set(this.#list.element, { hidden: shown === 0 });
    set(this.#empty, { hidden: shown > 0, text: this.#emptyText(done, all) });
    if (!done || !this.#announce) return;
    this.#announce = false;
    setText(this.#found, this.#filter.active ? `${count(shown, "event")} found` : "All events are shown");
  }

  #emptyText(done, all) {
    if (all === 0) return "No event has come yet.";
    return done
      ? "No event up to here matches. Look for another word, or for all kinds of events."
      : "Looking…";
  }
}

const KEYS = {
  ArrowDown: (from) => from + 1,
  ArrowUp: (from) => from - 1,
  PageDown: (from, last, page) => from + page,
  PageUp: (from, last, page) => from - page,
  Home: () => 0,
  End: (from, last) => last,
  Enter: (from, last) => Math.min(from, last),
};
