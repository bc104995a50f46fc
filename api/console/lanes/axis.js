/** The lanes' axis: ticks, attempts, idle stretches that were cut, failures; and the rules below them. */

import { icon, set, svg } from "../lib/dom.js";
import { duration } from "../lib/format.js";
import { countWhile, upTo } from "../lib/search.js";
import { ticks } from "./scale.js";

/** Pixels from the axis' top to its lower edge. */
export const AXIS = 40;
const [UPPER, LOWER] = [13, 32];
const LETTER = 6.2;
const FLAG = 12;

export class Axis {
  /** @type {SVGSVGElement} the band with the words */
  element = svg("svg", { class: "lanes-axis", height: AXIS, "aria-hidden": "true" });
  /** @type {SVGSVGElement} the rules behind the bars */
  rules = svg("svg", { class: "lanes-rules", "aria-hidden": "true" });
  #drawn = {};

  /** Draw it as it is at a moment; nothing is done if it is so already. */
  draw({ timeline, at }, scale) {
    const number = {
      attempts: countWhile(timeline.attempts, ({ index }) => index <= at),
      cuts: countWhile(timeline.cuts, ({ to }) => to <= at),
      failures: upTo(timeline.failures, at),
    };
    const [was, counts] = [this.#drawn, Object.values(number).join(" ")];
    if (was.timeline === timeline && was.counts === counts && scale.equals(was.scale)) return;
    this.#drawn = { timeline, scale, counts };
    const upper = new Line(scale.left + scale.width + 8);
    const parts = [
      this.#ticks(scale),
      this.#attempts(timeline, number.attempts, scale, upper),
      this.#cuts(timeline, number.cuts, scale, upper),
      this.#failures(timeline, number.failures, scale),
    ];
    this.element.replaceChildren(...parts.flatMap((part) => part.words));
    this.rules.replaceChildren(...parts.flatMap((part) => part.rules));
  }

  #ticks(scale) {
    const right = scale.left + scale.width;
    const all = ticks(scale).map(({ time, label }) => ({ x: Math.round(scale.x(time)) + 0.5, label }));
    const words = all.flatMap(({ x, label }) => {
      const last = x + (label.length * LETTER) / 2 > right;
      const anchor = x - scale.left < label.length * 3 ? "start" : last ? "end" : "middle";
      const line = svg("path", { d: `M${x} ${AXIS - 5}v5`, class: "lanes-tick-mark" });
      return [word(x, LOWER, label, "lanes-tick", anchor), line];
    });
    return { words, rules: all.map(({ x }) => rule(x, "lanes-grid")) };
  }

  /** One attempt alone needs no number. */
  #attempts(timeline, number, scale, upper) {
    const shown = timeline.attempts.slice(number > 1 ? 0 : 1, number);
    const times = shown.map(({ attempt, index }) => ({ attempt, time: timeline.clock[index] }));
    const marks = times.filter(({ time }) => seen(time, scale)).map(({ attempt, time }) => {
      return { x: Math.round(scale.x(time)) + 0.5, label: `attempt ${attempt}` };
    });
    const words = marks.map(({ x, label }) => attemptWord(upper, x, label)).filter(Boolean);
    const lines = marks.map(({ x }) => svg("path", { d: `M${x} 2V${UPPER + 4}`, class: "lanes-attempt" }));
    return { words: [...lines, ...words], rules: marks.map(({ x }) => rule(x, "lanes-attempt")) };
  }

  /** A break in the axis, with the time that really passed. */
  #cuts(timeline, number, scale, upper) {
    const parts = { words: [], rules: [] };
    for (const cut of timeline.cuts.slice(0, number)) {
      const [from, to] = [cut.from, cut.to].map((index) => scale.x(timeline.clock[index]));
      if (to < scale.left || from > scale.left + scale.width) continue;
      const [x, width] = [Math.max(from, scale.left), Math.max(to - Math.max(from, scale.left), 2)];
      parts.rules.push(svg("rect", { x, width, y: 0, height: "100%", class: "lanes-cut" }));
      const label = `⋯ ${duration(cut.real)}`;
      const long = label.length * LETTER;
      const places = [(x + to - long) / 2, to - long - 6].filter((it) => it >= scale.left - 2);
      const place = places.find((it) => upper.take(it, label));
      if (place !== undefined) parts.words.push(word(place, UPPER, label, "lanes-cut-word", "start"));
    }
    return parts;
  }

  #failures(timeline, number, scale) {
    const words = [];
    let taken = -Infinity;
    for (const index of timeline.failures.slice(0, number)) {
      const x = scale.x(timeline.clock[index]) - 2;
      if (x < taken + FLAG || !seen(timeline.clock[index], scale)) continue;
      words.push(set(icon("flag"), { x, y: UPPER + 5, width: FLAG, height: FLAG, class: "icon lanes-flag" }));
      taken = x;
    }
    return { words, rules: [] };
  }
}

/** Where the moment is on the axis, and in a replay the time after it. */
export class Playhead {
  #ahead = svg("rect", { class: "lanes-ahead", y: 0, height: "100%" });
  #line = svg("path", { class: "lanes-playhead", d: `M0 ${AXIS - 8}V10000M-5 ${AXIS - 8}h10l-5 7z` });
  /** @type {SVGSVGElement} over the bars */
  element = svg("svg", { class: "lanes-over", "aria-hidden": "true" }, this.#ahead, this.#line);

  /** Draw it as it is at a moment. */
  draw({ time, live }, scale) {
    const [left, end] = [scale.left, scale.left + scale.width];
    const x = Math.round(scale.x(time) * 2) / 2;
    const shown = x >= left - 1 && x <= end + 1;
    set(this.#line, { transform: `translate(${x} 0)`, visibility: shown ? "visible" : "hidden" });
    const from = Math.min(Math.max(x, left), end);
    set(this.#ahead, { x: from, width: live ? 0 : end - from });
  }
}

/** Keeps the words of a line from running into each other. */
class Line {
  #taken = [];
  #right;

  constructor(right) {
    this.#right = right;
  }

  /** Take the place for a word, unless there is another one. */
  take(x, label) {
    const end = x + label.length * LETTER;
    const meets = (it) => x < it.end + LETTER && end > it.x - LETTER;
    if (end > this.#right || this.#taken.some(meets)) return false;
    this.#taken.push({ x, end });
    return true;
  }
}

function seen(time, scale) {
  return time >= scale.from && time <= scale.to;
}

/** Beside its line: right of it, or left where there is no room. */
function attemptWord(upper, x, label) {
  const name = "lanes-attempt-word";
  if (upper.take(x + 4, label)) return word(x + 4, UPPER, label, name, "start");
  return upper.take(x - 4 - label.length * LETTER, label) && word(x - 4, UPPER, label, name, "end");
}

function word(x, y, text, name, anchor) {
  return svg("text", { x, y, class: name, "text-anchor": anchor, text });
}

function rule(x, name) {
  return svg("line", { x1: x, x2: x, y1: 0, y2: "100%", class: name });
}
