/** What is known of the connection, as a pill of a shape and words, and what happened to it so far. */

import { el, icon, set, setText } from "../lib/dom.js";
import { clockTime, count } from "../lib/format.js";
import { AWAY } from "./states.js";

const PASSING_MS = 6000;
const MOST_LINES = 200;

/** By what there is to show: a shape, a tone, and the words. */
const SHOWN = {
  connecting: ["spinner", "queued", () => "Connecting…"],
  "catching-up": ["spinner", "running", ({ behind }) => `Catching up on ${count(behind, "event")}…`],
  live: ["live", "succeeded", () => "Live"],
  resumed: ["repeat", "succeeded", ({ cursor, missed }) => `Resumed at ${cursor}${after(missed)}`],
  lost: ["spinner", "cancelling", () => "Reconnecting…"],
  waiting: ["clock", "cancelling", () => "Reconnecting"],
  offline: ["alert", "cancelling", () => "Offline"],
  ended: ["flag", "queued", () => "Ended"],
  gone: ["cross", "failed", ({ detail }) => `Gone: ${detail}`],
  "stream.gap": ["alert", "failed", ({ data }) => `Gap: ${count(data.missing, "event")} lost`],
  "stream.rewound": ["step-back", "cancelling", ({ data }) => `Log rolled back to ${data.last}`],
  "moment.missing": ["info", "cancelling", ({ data }) => `No event ${data.id} here`],
};

/** By what is worth a line in the log: a sentence that stands by itself. */
const SENTENCES = {
  resumed: ({ cursor, missed }) => `Resumed at ${cursor}${after(missed)}.`,
  lost: () => "The connection was lost; the browser tries again by itself.",
  waiting: () => "The browser gave up; the console tries again by itself, ever less often.",
  offline: () => "The browser says that there is no network.",
  gone: ({ code, detail }) => `The pod says ${code}: ${detail}`,
  "stream.gap": ({ data }) =>
    `Redis lost ${count(data.missing, "event")} between ${data.requested} and ${data.first_available}.`,
  "stream.rewound": ({ data }) =>
    `Redis rolled the log back from ${data.requested} to ${data.last}; what came after that never was.`,
  "moment.missing": ({ data }) => `The link leads to ${data.id}, which the log doesn't have.`,
};

/**
 * A pill for one task's connection.
 * @param {{retryNow: () => void}} actions
 * @returns {{element: HTMLElement, show: (state: import("./states.js").ConnectionState) => void,
 *   note: (notice: {type: string, data: object}) => void}} `note` takes what happened beside the states, such
 *   as a `stream.gap`; it is shown for a while
 */
export function connectionPill({ retryNow }) {
  const pill = new Pill(retryNow);
  return { element: pill.element, show: (state) => pill.show(state), note: (notice) => pill.note(notice) };
}

class Pill {
  #state = null;
  #passing = 0;
  #countdown = 0;
  #words = el("span");
  #shape = el("span", { class: "connection-shape" });
  #seconds = el("span", { class: "number", "aria-hidden": "true" });
  #status = el("span", { role: "status" }, this.#shape, this.#words, this.#seconds);
  #retry;
  #lines = new Lines();

  constructor(retryNow) {
    this.#retry = el("button", { type: "button", class: "connection-retry", text: "Now", hidden: true });
    set(this.#retry, { "aria-label": "Reconnect now", on: { click: retryNow } });
    this.element = el("div", { class: "connection" }, this.#status, this.#retry, ...this.#lines.elements);
  }

  /** The connection has another state. */
  show(state) {
    const before = this.#state;
    this.#state = state;
    this.#tick();
    if (state.kind === "live" && state.resumed) return this.#pass({ kind: "resumed", ...state.resumed });
    if (before?.kind !== state.kind && !isRetry(state)) this.#lines.add(state);
    if (!this.#passing || state.kind !== "live") this.#settle();
  }

  /** Something happened to the log. */
  note(notice) {
    this.#pass({ kind: notice.type, ...notice });
  }

  #pass(shown) {
    this.#lines.add(shown);
    this.#draw(shown);
    clearTimeout(this.#passing);
    this.#passing = setTimeout(() => this.#settle(), PASSING_MS);
  }

  #settle() {
    clearTimeout(this.#passing);
    this.#passing = 0;
    if (this.#state) this.#draw(this.#state);
  }

  #draw(shown) {
    const [shape, tone, words] = SHOWN[shown.kind];
    set(this.#status, { class: `connection-state tone-${tone}`, data: { kind: shown.kind } });
    const drawn = icon(shape);
    drawn.classList.toggle("spinning", shape === "spinner");
    this.#shape.replaceChildren(drawn);
    setText(this.#words, words(shown));
    const useful = AWAY.has(this.#state?.kind);
    if (!useful && this.#retry.matches(":focus")) this.#lines.focus(); // else the focus would be nowhere
    this.#retry.hidden = !useful;
  }

  #tick() {
    clearTimeout(this.#countdown);
    const left = this.#state.kind === "waiting" ? Math.max(this.#state.retryAt - Date.now(), 0) : null;
    setText(this.#seconds, left === null ? "" : ` in ${Math.ceil(left / 1000)} s`);
    if (left) this.#countdown = setTimeout(() => this.#tick(), left % 1000 || 1000);
  }
}

/** What happened, newest first, in a popover. */
class Lines {
  #list = el("ol", { class: "connection-lines" });
  #button = el("button", { type: "button", class: "plain connection-log", hidden: true });
  #popover;
  #count = 0;

  constructor() {
    const title = el("h2", { text: "What happened to the connection" });
    this.#popover = el("div", { class: "panel connection-popover", popover: "auto" }, title, this.#list);
    this.#button.popoverTargetElement = this.#popover;
    this.#popover.addEventListener("beforetoggle", (event) => event.newState === "open" && this.#place());
    this.elements = [this.#button, this.#popover];
  }

  /** Add a line, if it's worth one. */
  add(shown) {
    const sentence = SENTENCES[shown.kind]?.(shown);
    if (!sentence) return;
    const at = new Date().toISOString();
    const time = el("time", { class: "mono muted", datetime: at, text: clockTime(at) });
    this.#list.prepend(el("li", {}, time, el("span", { text: sentence })));
    if (this.#list.childElementCount > MOST_LINES) this.#list.lastElementChild.remove();
    this.#count += 1;
    set(this.#button, { hidden: false, "aria-label": `Connection log, ${count(this.#count, "line")}` });
    this.#button.replaceChildren(icon("list"), el("span", { class: "number", text: this.#count }));
  }

  /** Take the focus. */
  focus() {
    this.#button.focus();
  }

  #place() {
    const { left, bottom } = this.#button.getBoundingClientRect();
    this.#popover.style.setProperty("--left", `${Math.round(left)}px`);
    this.#popover.style.setProperty("--top", `${Math.round(bottom) + 6}px`);
  }
}

function isRetry({ kind, tries }) {
  return kind === "waiting" && tries > 1;
}

function after(missed) {
  return missed === null ? "" : ` after ${count(missed, "missed event")}`;
}
