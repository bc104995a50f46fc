/** The inspector: one event, raw, with what can be done with it. */

import { session } from "../auth/session.js";
import { copyButton } from "../lib/copy.js";
import { eventLine } from "../lib/curl.js";
import { el, icon, set, setText } from "../lib/dom.js";
import { clockTime, duration, eventId, nodeName } from "../lib/format.js";
import { jsonView } from "../lib/json.js";
import { lookOf } from "../timeline/kinds.js";
import { Superseded } from "../timeline/superseded.js";

/**
 * One event, raw.
 * @param {{taskId: string, select: (index: number) => void, seek: (index: number) => void}} actions
 * @returns {{element: HTMLElement, show(moment: import("../timeline/player.js").Moment): void,
 *   select(index: number): void}}
 */
export function inspectorView(actions) {
  return new InspectorView(actions);
}

class InspectorView {
  #actions;
  #superseded = new Superseded();
  #title = el("h2", { class: "inspector-title" });
  #facts = el("dl", { class: "inspector-facts" });
  #json = el("div", { class: "inspector-json" });
  #curl = el("code", { class: "inspector-curl mono" });
  #empty = el("p", { class: "inspector-empty muted", text: "Choose an event to see all that it holds." });
  #previous;
  #next;
  #content;
  #timeline = null;
  #index = -1;
  #event = null;
  #told = "";

  constructor(actions) {
    this.#actions = actions;
    this.#previous = this.#stepButton(-1, "chevron-left", "Previous event");
    this.#next = this.#stepButton(1, "chevron-right", "Next event");
    const header = el("header", {}, this.#title, this.#previous, this.#next);
    this.#content = el(
      "div",
      { class: "inspector-content" },
      this.#facts,
      this.#buttons(),
      this.#json,
      this.#fetching(),
    );
    this.element = el(
      "section",
      { class: "panel inspector", "aria-label": "Event" },
      header,
      this.#empty,
      this.#content,
    );
    this.#showEvent();
  }

  /** Show the event that is selected as it stands at a moment. */
  show({ timeline, at }) {
    if (timeline !== this.#timeline) this.#goOnWith(timeline);
    if (!this.#event) return;
    set(this.#previous, { "aria-disabled": this.#index === 0 && "true" });
    set(this.#next, { "aria-disabled": this.#index >= timeline.last && "true" });
    this.#showFacts(at);
  }

  /** Show the event at an index. */
  select(index) {
    if (!this.#timeline || this.#timeline.events[index] === this.#event) return;
    [this.#index, this.#event] = [index, this.#timeline.events[index] ?? null];
    this.#showEvent();
  }

  #goOnWith(timeline) {
    this.#timeline = timeline;
    if (!this.#event || timeline.events[this.#index] === this.#event) return;
    this.#event = null; // the log was rolled back behind it
    this.#showEvent();
  }

  #showEvent() {
    const event = this.#event;
    set(this.#content, { hidden: !event });
    set(this.#empty, { hidden: Boolean(event) });
    for (const button of [this.#previous, this.#next]) set(button, { hidden: !event });
    this.#told = "";
    if (!event) return this.#title.replaceChildren("Event");
    const look = lookOf(event.type);
    const id = el("span", { class: "inspector-id mono", text: eventId(event) });
    this.#title.replaceChildren(
      icon(look.icon),
      el("span", { class: "inspector-type", text: event.type }),
      id,
    );
    set(this.#title, { class: `inspector-title tone-${look.tone}` });
    this.#json.replaceChildren(jsonView(event, `JSON of event ${eventId(event)}`));
    setText(this.#curl, this.#curlLine());
  }

  #showFacts(at) {
    const [event, attempt] = [this.#event, this.#superseded.by(this.#timeline, this.#event, at)];
    const note =
      attempt !== undefined
        ? `superseded by attempt ${attempt}`
        : this.#index > at
          ? "after this moment"
          : "";
    const told = `${eventId(event)} ${note}`;
    if (told === this.#told) return;
    this.#told = told;
    const offset = Date.parse(event.ts) - Date.parse(this.#timeline.events[0].ts);
    const facts = [
      ["Time", `${clockTime(event.ts)} (+${duration(offset)})`],
      ["Attempt", String(event.attempt)],
    ];
    if (event.node) facts.push(["Node", nodeName(event)], ["Run", event.run]);
    if (note) facts.push(["Note", note]);
    this.#facts.replaceChildren(
      ...facts.map(([term, text]) => el("div", {}, el("dt", { text: term }), el("dd", { text }))),
    );
  }

  #buttons() {
    const seek = el(
      "button",
      { type: "button", on: { click: () => this.#actions.seek(this.#index) } },
      icon("clock"),
    );
    seek.append("Go to this moment");
    const json = copyButton("Copy JSON", () => JSON.stringify(this.#event, null, 2));
    return el(
      "div",
      { class: "inspector-buttons" },
      json,
      copyButton("Copy link", () => this.#link()),
      seek,
    );
  }

  #fetching() {
    const head = el("div", { class: "inspector-fetch-head" }, el("h3", { text: "Fetch it" }));
    head.append(copyButton("Copy command", () => this.#curlLine()));
    return el("div", { class: "inspector-fetch" }, head, this.#curl);
  }

  #stepButton(step, shape, label) {
    const button = el(
      "button",
      { type: "button", class: "plain", "aria-label": label, title: label },
      icon(shape),
    );
    button.addEventListener("click", () => {
      const index = this.#index + step;
      if (this.#timeline?.events[index]) this.#actions.select(index);
    });
    return button;
  }

  #link() {
    return `${location.origin}/?task=${encodeURIComponent(this.#actions.taskId)}#at=${eventId(this.#event)}`;
  }

  #curlLine() {
    const before = this.#index > 0 ? this.#timeline.idAt(this.#index - 1) : "0-0";
    return eventLine(location.origin, { taskId: this.#actions.taskId, before }, session.signedIn);
  }
}
