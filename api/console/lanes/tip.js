/** A small box beside a bar that tells what its run is. */

import { el } from "../lib/dom.js";
import { runFacts } from "./words.js";

const OFF = 14;

export class Tip {
  element = el("div", { class: "lanes-tip", hidden: true, "aria-hidden": "true" });
  #place = null;
  #shown = "";

  /**
   * Point to a place, or to none.
   * @param {{run: import("../timeline/runs.js").Run, x: number, y: number} | null} place pixels from the parent
   */
  point(place, moment) {
    this.#place = place;
    this.draw(moment);
  }

  /** Show what it points to as it is at a moment; nothing if the run isn't there then. */
  draw(moment) {
    const run = this.#place?.run;
    this.element.hidden = !(run && moment && moment.timeline.lanes.isThere(run, moment.at));
    if (this.element.hidden) return;
    const facts = runFacts(run, moment);
    const shown = JSON.stringify([run.name, facts]);
    if (shown !== this.#shown) this.#fill(run.name, facts);
    this.#shown = shown;
    this.#put(this.#place);
  }

  #put({ x, y }) {
    const { offsetWidth, parentNode } = this.element;
    const fits = x + OFF + offsetWidth <= parentNode.clientWidth;
    const left = fits ? x + OFF : Math.max(x - OFF - offsetWidth, 0);
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(y + OFF)}px)`;
  }

  #fill(name, facts) {
    const rows = facts.flatMap(([term, text]) => [el("dt", { text: term }), el("dd", { text })]);
    this.element.replaceChildren(el("strong", { text: name }), el("dl", {}, ...rows));
  }
}
