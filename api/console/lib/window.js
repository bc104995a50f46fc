/** A windowed list: of any number of rows of one height, only those in sight are in the page. */

import { el } from "./dom.js";

const OVERSCAN = 6; // rows drawn beyond each edge, so that a scroll shows no blank before the next picture

/**
 * @typedef {object} Row what the list's owner makes; the list recycles it
 * @property {HTMLElement} element of fixed height
 */

export class WindowedList {
  #make;
  #fill;
  #rowHeightAt;
  #redraw;
  #spacer = el("div", { role: "none", class: "window-spacer" });
  /** @type {Row[]} those in the page, for the positions from #first on */
  #rows = [];
  #spare = [];
  #first = 0;
  #count = 0;
  #top = 0;
  #height = 0;
  #rowHeight;
  #frame = 0;

  /**
   * @param {object} owner
   * @param {() => Row} owner.make a row that shows nothing yet
   * @param {(row: Row, position: number) => void} owner.fill have a row show what is at a position
   * @param {(width: number) => number} owner.rowHeightAt pixels a row takes in a list of that width
   * @param {() => void} owner.redraw show the same once more: it was scrolled or resized
   * @param {Record<string, unknown>} props attributes of the scrolling element
   */
  constructor({ make, fill, rowHeightAt, redraw }, props) {
    [this.#make, this.#fill, this.#rowHeightAt, this.#redraw] = [make, fill, rowHeightAt, redraw];
    this.#rowHeight = rowHeightAt(Infinity);
    this.element = el("div", props, this.#spacer);
    this.element.style.setProperty("--window-row", `${this.#rowHeight}px`);
    this.element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(([entry]) => this.#resized(entry.contentRect)).observe(this.element);
  }

  /** Called when the reader has scrolled, with whether the end is in sight now. */
  onScroll = () => {};

  /** How many rows there are. */
  get count() {
    return this.#count;
  }

  set count(count) {
    if (count === this.#count) return;
    const mayGrow = this.#height >= this.#count * this.#rowHeight;
    this.#count = count;
    this.#spacer.style.height = `${count * this.#rowHeight}px`;
    if (mayGrow) this.#height = this.element.clientHeight; // the ResizeObserver is a picture late
    this.#top = Math.min(this.#top, this.#endTop);
  }

  /** Whether the last row is in sight. */
  get isAtEnd() {
    return this.#top >= this.#endTop - this.#rowHeight / 2;
  }

  /** How many rows are in sight at once. */
  get page() {
    return Math.max(1, Math.floor(this.#height / this.#rowHeight));
  }

  /** Scroll to the last row. */
  toEnd() {
    this.#scrollTo(this.#endTop);
  }

  /** Scroll as little as needed to have the row at a position in sight. */
  reveal(position) {
    const top = position * this.#rowHeight;
    const least = top + this.#rowHeight - this.#height;
    this.#scrollTo(Math.min(Math.max(this.#top, least), top));
  }

  /** Draw the rows in sight. */
  draw() {
    const first = Math.max(0, Math.floor(this.#top / this.#rowHeight) - OVERSCAN);
    const end = Math.min(this.#count, Math.ceil((this.#top + this.#height) / this.#rowHeight) + OVERSCAN);
    this.#keep(first, end);
    while (this.#first > first) this.#rows.unshift(this.#take(--this.#first, false));
    while (this.#first + this.#rows.length < end)
      this.#rows.push(this.#take(this.#first + this.#rows.length, true));
    for (const row of this.#spare.splice(0)) row.element.remove();
    this.#rows.forEach((row, offset) => this.#fill(row, this.#first + offset));
  }

  /** Have the owner show the same once more, in the next picture. */
  schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#redraw();
    });
  }

  get #endTop() {
    return Math.max(0, this.#count * this.#rowHeight - this.#height);
  }

  #keep(first, end) {
    while (this.#rows.length && this.#first < first) {
      this.#spare.push(this.#rows.shift());
      this.#first += 1;
    }
    while (this.#rows.length && this.#first + this.#rows.length > end) this.#spare.push(this.#rows.pop());
    if (!this.#rows.length) this.#first = first;
  }

  #take(position, atEnd) {
    const row = this.#spare.pop() ?? this.#make();
    row.element.style.transform = `translateY(${position * this.#rowHeight}px)`;
    this.#spacer[atEnd ? "append" : "prepend"](row.element);
    return row;
  }

  #scrollTo(top) {
    if (Math.abs(top - this.#top) < 1 && Math.abs(top - this.element.scrollTop) < 1) return;
    this.element.scrollTop = top;
    this.#top = this.element.scrollTop;
  }

  #scrolled() {
    const top = this.element.scrollTop;
    if (Math.abs(top - this.#top) <= 1) return;
    this.#top = top;
    this.onScroll(this.isAtEnd);
    this.schedule();
  }

  #resized({ width, height }) {
    const [rowHeight, wasAtEnd] = [this.#rowHeightAt(width), this.isAtEnd];
    if (rowHeight !== this.#rowHeight) this.#setRowHeight(rowHeight);
    this.#height = height;
    this.#top = wasAtEnd ? this.#endTop : Math.min(this.#top, this.#endTop);
    this.element.scrollTop = this.#top;
    this.schedule();
  }

  #setRowHeight(rowHeight) {
    this.#top *= rowHeight / this.#rowHeight;
    this.#rowHeight = rowHeight;
    this.#spacer.style.height = `${this.#count * rowHeight}px`;
    this.element.style.setProperty("--window-row", `${rowHeight}px`);
    this.#spare.push(...this.#rows.splice(0));
  }
}
