/** The names of the lanes in sight, beside or above them. */

import { el, setText } from "../lib/dom.js";
import { waveAt } from "../timeline/runs.js";

export class Labels {
  element = el("div", { class: "lanes-labels", "aria-hidden": "true" });
  #labels = new Map();

  /**
   * Show those of the bands in sight.
   * @param {import("./layout.js").Band[]} bands
   */
  draw(bands, moment) {
    const seen = new Set(bands.map((band) => band.lane));
    for (const [lane, label] of this.#labels) {
      if (seen.has(lane)) continue;
      label.element.remove();
      this.#labels.delete(lane);
    }
    for (const band of bands) this.#label(band.lane).draw(band, moment);
  }

  #label(lane) {
    if (!this.#labels.has(lane)) {
      const label = new Label(lane.name);
      this.#labels.set(lane, label);
      this.element.append(label.element);
    }
    return this.#labels.get(lane);
  }
}

class Label {
  #count = el("span", { class: "lanes-count number" });
  #kept = "";
  #at = -1;

  constructor(name) {
    const cut = name.lastIndexOf("/") + 1;
    const path = cut ? el("span", { class: "lanes-path", text: name.slice(0, cut) }) : null;
    const last = el("span", { class: "lanes-name", text: name.slice(cut) });
    const words = el("span", { class: "lanes-words", title: name }, path, last);
    this.element = el("div", { class: "lanes-label" }, el("div", {}, words, this.#count));
  }

  draw(band, { at }) {
    const place = `${band.top} ${band.height}`;
    if (place !== this.#kept) {
      this.element.style.top = `${band.top}px`;
      this.element.style.height = `${band.height}px`;
      this.#kept = place;
    }
    if (at === this.#at) return;
    this.#at = at;
    this.element.classList.toggle("lanes-unborn", !(band.lane.runs[0].begin <= at));
    setText(this.#count, countText(band.lane, at));
  }
}

/** How many of several parallel runs have ended. */
function countText(lane, at) {
  if (lane.rows.length === 1) return "";
  const { runs, done } = waveAt(lane, at);
  return runs.length > 1 ? `${done}/${runs.length}` : "";
}
