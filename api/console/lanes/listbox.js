/**
 * What makes the picture a list box: the runs are its options, of which only the active one is ever there.
 *
 * Thousands of bars with a label each would cost more than the picture, and nobody tabs through them.
 */

import { el } from "../lib/dom.js";

const AROUND = 8;

export class Listbox {
  /** @type {HTMLElement} scrolls, has the focus and the name */
  element;
  #option = null;
  #options = 0;

  /** @param {Record<string, (event: Event) => void>} listens */
  constructor(body, listens) {
    this.element = el("div", { class: "lanes-scroll", role: "listbox", tabindex: 0, on: listens }, body);
  }

  /** Scroll as far as needed to have what is so far down, and so high, in sight; gives where it is then. */
  reveal(top, height) {
    const [from, to] = [top - AROUND, top + height + AROUND];
    const { scrollTop, clientHeight } = this.element;
    if (from < scrollTop) this.element.scrollTop = from;
    else if (to > scrollTop + clientHeight) this.element.scrollTop = to - clientHeight;
    return this.element.scrollTop;
  }

  /** Have it tell of itself. */
  name(text) {
    this.element.setAttribute("aria-label", text);
  }

  /** Have it tell of the active run; a new node each time, or a screen reader wouldn't notice. */
  activate(text, selected) {
    this.#option?.remove();
    const id = `lanes-run-${(this.#options += 1)}`;
    const told = { role: "option", id, "aria-selected": String(selected), text };
    this.#option = el("div", { class: "offscreen", ...told });
    this.element.append(this.#option);
    this.element.setAttribute("aria-activedescendant", id);
  }
}
