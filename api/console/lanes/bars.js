/** The bars: SVG nodes for the marks in sight, kept from one picture to the next. */

import { icon, set, setText, svg } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { upTo } from "../lib/search.js";
import { fractionAt, noteAt } from "./marks.js";

const ICONS = {
  completed: "check",
  failed: "cross",
  waiting: "hand",
  answered: "hand",
  superseded: "repeat",
  "cut off": "ban",
};
/** Bars at least so high have text and icon inside, and beside them. */
const [HIGH, LOW] = [13, 10];
const ICON = 12;
const ICON_FROM = 18;
const TEXT_FROM = 40;
const LETTER = 6.1;
const GAP = 6;
const DOT_PIXELS = 5;

export class Bars {
  /** @type {SVGGElement} where they are drawn */
  element = svg("g", {}, hatch());
  #bars = new Map();
  #picture = 0;

  /** Begin a picture. */
  begin() {
    this.#picture += 1;
  }

  /**
   * Draw a mark.
   * @param {import("./marks.js").Mark} mark
   * @param {{y: number, height: number, moment: object, scale: import("./scale.js").Scale}} place
   */
  draw(mark, place) {
    let bar = this.#bars.get(mark.run);
    if (!bar) {
      bar = new Bar();
      this.#bars.set(mark.run, bar);
      this.element.append(bar.element);
    }
    bar.picture = this.#picture;
    bar.draw(mark, place);
  }

  /** End the picture: what wasn't drawn in it goes. */
  end() {
    for (const [run, bar] of this.#bars) {
      if (bar.picture === this.#picture) continue;
      bar.element.remove();
      this.#bars.delete(run);
    }
  }
}

class Bar {
  picture = 0;
  element = svg("g", {});
  #shape = svg("rect", { class: "lanes-shape" });
  #parts = new Map();
  #kept = new Map();
  #shown = "";

  constructor() {
    this.element.append(this.#shape);
  }

  draw(mark, place) {
    const { y, height } = place;
    const ended = mark.run.end <= place.moment.at;
    const { from, perPixel } = place.scale;
    const { x, width, room, state, count: runs } = mark;
    const shown = [from, perPixel, x, y, width, height, room, state, runs, ended].join(" ");
    if (ended && shown === this.#shown) return;
    this.#shown = shown;
    const box = { x: tenth(mark.x), y, width: tenth(mark.width), height };
    const named = `lanes-bar lanes-${mark.state.replace(" ", "-")}`;
    this.#keep("state", mark.state, () => this.element.setAttribute("class", named));
    this.#place("shape", this.#shape, { ...box, rx: tenth(Math.min(4, height / 3, mark.width / 2)) });
    this.#drawProgress(mark, box, place.moment);
    this.#drawDots(mark, box, place);
    const words = height >= HIGH && mark.count === 1;
    this.#drawIcon(words && mark.width >= ICON_FROM ? ICONS[mark.state] : undefined, box);
    this.#drawNote(mark, box, place.moment);
  }

  #drawProgress(mark, box, moment) {
    const runs = mark.state === "running";
    const part = runs || mark.state === "waiting" ? fractionAt(mark.run, moment) : null;
    const fill = this.#part("fill", part !== null, () => svg("rect", { class: "lanes-fill" }));
    const [x, y, height] = [box.x + 0.5, box.y + 0.5, box.height - 1];
    const inner = { x, y, height, rx: Math.min(3.5, height / 3) };
    if (fill) this.#place("fill", fill, { ...inner, width: Math.max(tenth(box.width * part) - 1, 0) });
    const edge = this.#part("edge", runs, () => svg("rect", { class: "lanes-edge" }));
    if (edge) this.#place("edge", edge, { ...box, x: tenth(box.x + box.width - 2), width: 2 });
  }

  #drawDots(mark, box, { moment, scale }) {
    const number = mark.count === 1 ? upTo(mark.run.progress, moment.at) : 0;
    const some = number > 0 && box.height >= 8 && number * DOT_PIXELS <= box.width;
    const dots = this.#part("dots", some, () => svg("path", { class: "lanes-dots" }));
    if (!dots) return;
    this.#keep("dots", `${number} ${scale.from} ${scale.perPixel} ${scale.left} ${box.y}`, () => {
      const y = box.y + (box.height >= HIGH ? box.height - 3 : box.height / 2);
      const right = box.x + box.width - 3;
      const places = mark.run.progress.slice(0, number).map((index) => scale.x(moment.timeline.clock[index]));
      dots.setAttribute("d", places.map((x) => `M${tenth(Math.min(x, right))} ${y}h0`).join(""));
    });
  }

  #drawIcon(name, box) {
    this.#keep("icon-name", name, () => this.#part("icon", false));
    const node = this.#part("icon", Boolean(name), () => set(icon(name), { width: ICON, height: ICON }));
    if (node) this.#place("icon", node, { x: box.x + 4, y: box.y + (box.height - ICON) / 2 });
  }

  /** Inside if it's long enough, else after it if there is room: never over the next bar. */
  #drawNote(mark, box, moment) {
    const before = this.#parts.has("icon") ? ICON + GAP : GAP;
    const [inner, outer] = [box.width - before - GAP, mark.room - 2 * GAP];
    const inside = box.height >= HIGH && inner >= TEXT_FROM;
    const room = inside ? inner : outer;
    const told = box.height >= LOW && room >= TEXT_FROM && (inside || mark.count === 1);
    const words = told && (mark.count > 1 ? count(mark.count, "run") : noteAt(mark.run, moment));
    const text = told ? cutTo(words, room) : "";
    const note = this.#part("note", text !== "", makeNote);
    if (!note) return;
    const x = tenth(inside ? box.x + before : box.x + box.width + GAP);
    const frame = { x, y: box.y - 2, width: tenth(room), height: box.height + 4 };
    this.#place("note", note, { ...frame, class: inside ? "lanes-note" : "lanes-note lanes-beside" });
    setText(note.firstChild, text);
  }

  /** A part that isn't always there; null while it isn't wanted. */
  #part(name, wanted, make) {
    const node = this.#parts.get(name);
    if (wanted && !node) {
      this.#kept.delete(name);
      this.#parts.set(name, this.element.appendChild(make()));
    } else if (!wanted && node) {
      this.#parts.delete(name);
      node.remove();
    }
    return this.#parts.get(name) ?? null;
  }

  /** Attributes that are as they were cost nothing. */
  #place(name, node, attributes) {
    const was = this.#kept.get(name);
    for (const key in attributes) {
      if (was?.[key] !== attributes[key]) node.setAttribute(key, attributes[key]);
    }
    this.#kept.set(name, attributes);
  }

  #keep(name, value, change) {
    if (this.#kept.has(name) && this.#kept.get(name) === value) return;
    this.#kept.set(name, value);
    change();
  }
}

function cutTo(text, pixels) {
  const most = Math.floor(pixels / LETTER);
  return text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`;
}

function tenth(number) {
  return Math.round(number * 10) / 10;
}

/** What doesn't count any more is hatched: one pattern for all of it. */
function hatch() {
  const lines = svg("path", { d: "M0 6 6 0M-1.5 1.5 1.5-1.5M4.5 7.5 7.5 4.5", class: "lanes-hatching" });
  const ground = svg("rect", { width: 6, height: 6, class: "lanes-hatch-ground" });
  const size = { width: 6, height: 6, patternUnits: "userSpaceOnUse" };
  return svg("defs", {}, svg("pattern", { id: "lanes-hatch", ...size }, ground, lines));
}

function makeNote() {
  return svg("svg", {}, svg("text", { y: "50%", dy: "0.35em" }));
}
