/** A text that grows: pieces are appended at its end, and nothing before the last part is laid out again. */

import { el } from "./dom.js";

const WANTED = 2000; // characters of a part: it ends with the first line break after them
const MOST = 8000; // a line longer than this is broken, for a browser lays a line out as a whole

export class GrowingText {
  /** @type {HTMLElement} */
  element;
  #part = null;
  #size = 0;

  /** @param {Record<string, unknown>} [props] attributes of the element that holds the text */
  constructor(props = {}) {
    this.element = el("div", props);
    this.element.classList.add("growing");
  }

  /** Replace the whole text. */
  set(text) {
    this.element.replaceChildren();
    this.#part = null;
    this.append(text);
  }

  /** Add a piece at the end. */
  append(piece) {
    for (let from = 0; from < piece.length;) {
      const to = this.#endOfPart(piece, from);
      this.#open().appendData(piece.slice(from, to));
      this.#size += to - from;
      from = to;
      const lineEnded = piece[to - 1] === "\n" && this.#size >= WANTED;
      if (lineEnded || this.#size >= MOST - 1) this.#part = null;
    }
  }

  #open() {
    if (this.#part) return this.#part;
    [this.#part, this.#size] = [document.createTextNode(""), 0];
    this.element.append(el("div", { class: "growing-part" }, this.#part));
    return this.#part;
  }

  /** Where the current part ends in the piece: after a line break, or before the half of a character. */
  #endOfPart(piece, from) {
    const size = this.#part ? this.#size : 0;
    const lineBreak = piece.indexOf("\n", from + Math.max(0, WANTED - size));
    const most = from + MOST - size;
    const end = lineBreak < 0 ? piece.length : lineBreak + 1;
    if (end <= most) return end;
    return /[\ud800-\udbff]/.test(piece[most - 1]) ? most - 1 : most;
  }
}
