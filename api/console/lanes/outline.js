/** A frame around a run's bar: the one that is active, or the one that was selected. */

import { set, svg } from "../lib/dom.js";
import { bandOf } from "./find.js";
import { barTop } from "./layout.js";
import { boxOf } from "./marks.js";

const AROUND = 2;

export class Outline {
  element;
  /** @type {import("../timeline/runs.js").Run | null} */
  run = null;

  /** @param {string} name its class */
  constructor(name) {
    this.element = svg("rect", { class: name, rx: 5, visibility: "hidden" });
  }

  /** Draw it as it is at a moment; a run that isn't there then, or not in this timeline, has none. */
  draw(bands, moment, scale) {
    const band = this.run && bandOf(bands, this.run);
    const shown = band && moment.timeline.lanes.isThere(this.run, moment.at);
    if (!shown) return this.element.setAttribute("visibility", "hidden");
    const { x, width } = boxOf(this.run, moment, scale);
    const box = { x: x - AROUND, y: barTop(band, this.run.row) - AROUND, visibility: "inherit" };
    set(this.element, { ...box, width: width + 2 * AROUND, height: band.bar + 2 * AROUND });
  }
}
