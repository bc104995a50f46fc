/** What runs at a moment: a line for each node, those that run in parallel summed up. */

import { fractionAt, lastProgress, messageAt } from "../lanes/marks.js";
import { el, icon, set, setText } from "../lib/dom.js";
import { duration } from "../lib/format.js";
import { stateAt, waveAt } from "../timeline/runs.js";

const MOST = 12;
const NOTHING = {
  queued: "Waits for a worker.",
  running: "No node runs right now.",
  waiting: "Waits for an answer.",
  cancelling: "Is being cancelled.",
  succeeded: "Nothing runs any more: the task succeeded.",
  failed: "Nothing runs any more: the task failed.",
  cancelled: "Nothing runs any more: the task was cancelled.",
};

/**
 * The view of what runs.
 * @returns {{element: HTMLElement, show: (moment: object) => void}}
 */
export function nodesView(actions) {
  const list = el("ul", { class: "nodes-list" });
  const nothing = el("p", { class: "nodes-nothing muted" });
  const more = el("p", { class: "nodes-more muted" });
  const head = el("header", {}, el("h2", { text: "Now" }));
  const element = el("section", { class: "panel nodes", "aria-label": "Now" }, head, list, more, nothing);
  const lines = new Lines(list, actions);
  const show = (moment) => {
    const groups = groupsAt(moment);
    lines.draw(groups.slice(0, MOST), moment);
    setText(more, groups.length > MOST ? `and ${groups.length - MOST} more` : "");
    setText(nothing, groups.length ? "" : NOTHING[moment.timeline.statusAt(moment.at)]);
  };
  return { element, show };
}

/**
 * The lanes in which something runs, with what does.
 * @returns {{lane: import("../timeline/runs.js").Lane, open: import("../timeline/runs.js").Run[]}[]}
 */
function groupsAt({ timeline, at }) {
  const byName = new Map();
  for (const run of timeline.lanes.openAt(at)) {
    if (!byName.has(run.name)) byName.set(run.name, []);
    byName.get(run.name).push(run);
  }
  const lanes = timeline.lanes.lanes.filter((lane) => byName.has(lane.name));
  return lanes.map((lane) => ({ lane, open: byName.get(lane.name) }));
}

/** The lines, kept from one picture to the next. */
class Lines {
  #list;
  #actions;
  #lines = new Map();

  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
  }

  draw(groups, moment) {
    const wanted = new Set(groups.map(({ lane }) => lane.name));
    for (const [name, line] of this.#lines) {
      if (wanted.has(name)) continue;
      line.element.remove();
      this.#lines.delete(name);
    }
    groups.forEach(({ lane, open }, at) => {
      const line = this.#lines.get(lane.name) ?? this.#make(lane.name);
      const there = this.#list.children[at] ?? null;
      if (there !== line.element) this.#list.insertBefore(line.element, there);
      line.draw(lane, open, moment);
    });
  }

  #make(name) {
    const line = new Line(name, this.#actions);
    this.#lines.set(name, line);
    return line;
  }
}

class Line {
  #run = null;
  #name;
  #icon = el("span", { class: "nodes-icon" });
  #count = el("span", { class: "nodes-count number" });
  #elapsed = el("span", { class: "nodes-elapsed number" });
  #message = el("span", { class: "nodes-message" });
  #progress;
  #shape = "";

  constructor(name, actions) {
    this.#name = name;
    this.#progress = el("progress", { max: 1, "aria-label": `Progress of ${name}` });
    const title = "Show the event it began with";
    const open = el("button", { type: "button", class: "plain nodes-name", text: name, title });
    open.addEventListener("click", () => this.#run && actions.select(this.#run.begin));
    const first = el("div", { class: "nodes-first" }, this.#icon, open, this.#count, this.#elapsed);
    this.element = el("li", {}, first, this.#progress, this.#message);
  }

  draw(lane, open, moment) {
    this.#run = open[0];
    const wave = waveAt(lane, moment.at);
    const waits = open.every((run) => stateAt(run, moment.at) === "waiting");
    this.#drawShape(waits ? "hand" : "spinner");
    setText(this.#count, wave.runs.length > 1 ? `${wave.done} of ${wave.runs.length} done` : "");
    const began = Math.min(...open.map((run) => moment.timeline.clock[run.begin]));
    setText(this.#elapsed, duration(moment.time - began));
    setText(this.#message, waits ? "waiting for an answer" : latestMessage(open, moment));
    this.#drawProgress(waits, wave, open, moment);
  }

  #drawShape(name) {
    if (name === this.#shape) return;
    this.#shape = name;
    this.#icon.replaceChildren(set(icon(name), { class: name === "spinner" ? "icon spinning" : "icon" }));
    this.element.classList.toggle("nodes-waiting", name === "hand");
  }

  /** A part that isn't known is told by a bar without a value. */
  #drawProgress(waits, wave, open, moment) {
    const parts = open.map((run) => fractionAt(run, moment));
    const sum = wave.done + parts.reduce((total, part) => total + (part ?? 0), 0);
    const part = wave.runs.length > 1 ? sum / wave.runs.length : parts[0];
    this.#progress.hidden = waits;
    if (part === null) this.#progress.removeAttribute("value");
    else if (this.#progress.value !== part || this.#progress.position < 0) this.#progress.value = part;
  }
}

/** What was said last, by whichever of them. */
function latestMessage(runs, moment) {
  let [latest, text] = [-1, ""];
  for (const run of runs) {
    const said = lastProgress(run, moment.at) ?? -1;
    if (said > latest) [latest, text] = [said, messageAt(run, moment)];
  }
  return text;
}
