/** One message: who wrote it, and its text as far as it was written at a moment. */

import { el, set, setText } from "../lib/dom.js";
import { GrowingText } from "../lib/growing.js";
import { piecesAt, textAt } from "../timeline/texts.js";

const WHOLE = Infinity; // pieces shown: all, and as the message's end has them

const ROLES = new Map([
  ["ai", ""],
  ["human", "Human"],
  ["system", "System"],
  ["tool", "Tool"],
]);

/**
 * @typedef {object} WritingMoment what holds for all messages of a moment
 * @property {import("../timeline/timeline.js").Timeline} timeline
 * @property {number} at
 * @property {number} attemptBegan index of the event that the moment's attempt began with
 * @property {boolean} over whether the task has ended
 */

export class MessageBlock {
  #message;
  #lane = null;
  #pieces = 0;
  #index = 0; // of the event that tells most about it
  #state = "";
  #unfolded = false;
  #text = new GrowingText({ class: "messages-text" });
  #name = el("bdi", { class: "messages-name" });
  #role = el("span", { class: "messages-role", hidden: true });
  #run = el("span", { class: "messages-run mono muted", hidden: true });
  #note = el("span", { class: "messages-note" });
  #fold = el("button", { type: "button", class: "plain messages-fold", hidden: true });
  #select;

  /**
   * @param {import("../timeline/texts.js").Message} message
   * @param {(index: number) => void} select
   */
  constructor(message, select) {
    this.#message = message;
    setText(this.#name, message.name || "task");
    setText(this.#run, message.run);
    this.#select = el("button", { type: "button", class: "plain mono messages-id" });
    this.#select.addEventListener("click", () => select(this.#index));
    this.#fold.addEventListener("click", () => this.#unfold(!this.#unfolded));
    const header = el("header", {}, this.#name, this.#role, this.#run, this.#note, this.#fold, this.#select);
    this.element = el("article", { class: "messages-block" }, header, this.#text.element);
  }

  /**
   * Show the message as it was at a moment.
   * @param {WritingMoment} moment
   * @returns {boolean} whether its text has changed
   */
  show(moment) {
    const { timeline, at } = moment;
    this.#showState(this.#stateAt(moment), timeline);
    this.#showRun(timeline);
    return this.#showText(at);
  }

  #stateAt({ at, attemptBegan, over }) {
    const { begin, end, voided } = this.#message;
    if (voided <= at) return "superseded";
    if (end <= at) return "written";
    return begin >= attemptBegan && !over ? "writing" : "cut off";
  }

  #showState(state, timeline) {
    if (state === this.#state) return;
    this.#state = state;
    const { role, begin, end, voided } = this.#message;
    const words = {
      superseded: () => `superseded by attempt ${timeline.events[voided].attempt}`,
      "cut off": () => "cut off",
    };
    setText(this.#note, words[state]?.() ?? (state === "writing" ? "writing…" : ""));
    set(this.element, { data: { state } });
    const label = state === "writing" ? "" : (ROLES.get(role) ?? role);
    set(this.#role, { hidden: !label, text: label });
    this.#index = state === "written" ? end : begin;
    const id = timeline.idAt(this.#index);
    set(this.#select, { text: id, "aria-label": `Inspect event ${id}` });
    set(this.#fold, { hidden: state !== "superseded" });
    this.#unfold(state !== "superseded");
  }

  #unfold(unfolded) {
    this.#unfolded = unfolded;
    set(this.#text.element, { hidden: !unfolded });
    set(this.#fold, { text: unfolded ? "Hide" : "Show", "aria-expanded": String(unfolded) });
  }

  /** Which run of its node wrote it matters when there are several. */
  #showRun(timeline) {
    this.#lane ??= timeline.lanes.lanes.find((lane) => lane.name === this.#message.name) ?? null;
    const several = (this.#lane?.runs.length ?? 0) > 1;
    if (this.#run.hidden === several) this.#run.hidden = !several || !this.#message.run;
  }

  #showText(at) {
    const message = this.#message;
    const pieces = message.end <= at ? WHOLE : piecesAt(message, at);
    if (pieces === this.#pieces) return false;
    const from = this.#pieces;
    this.#pieces = pieces;
    const differs = pieces === WHOLE && message.pieces.join("") !== message.whole;
    if (pieces < from || differs) this.#text.set(textAt(message, at));
    else this.#text.append(message.pieces.slice(from, pieces).join(""));
    return true;
  }
}
