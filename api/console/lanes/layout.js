/** Where lanes and their rows are, in pixels from the top. Pure. */

import { countWhile } from "../lib/search.js";

/**
 * @typedef {object} Band a lane's place
 * @property {import("../timeline/runs.js").Lane} lane
 * @property {number} top
 * @property {number} height
 * @property {number} first top of its first row
 * @property {number} pitch from one row's top to the next one's
 * @property {number} bar height of a bar
 */

const PADDING = 4;
const LABEL = 26;
const LABEL_ABOVE = 20;
/** The more rows a lane has, the thinner they are: up to this many, pitch and bar. */
const SIZES = [[1, 26, 18], [6, 21, 17], [32, 14, 10], [Infinity, 10, 7]];
const NARROW_SIZES = [[1, 20, 16], [6, 16, 13], [32, 11, 8], [Infinity, 8, 6]];

/** The places of all lanes, one below the other. */
export class Layout {
  /** @type {Band[]} */
  bands = [];
  #key = "";

  /**
   * Lay the lanes out; gives whether anything has changed.
   * @param {import("../timeline/runs.js").Lane[]} lanes
   * @param {boolean} narrow whether a label is above its lane and not beside it
   */
  update(lanes, narrow) {
    const rows = lanes.reduce((sum, lane) => sum + lane.rows.length, 0);
    const key = `${lanes.length} ${rows} ${narrow}`;
    if (key === this.#key && this.bands[0]?.lane === lanes[0]) return false;
    this.#key = key;
    this.bands = bandsOf(lanes, narrow);
    return true;
  }
}

function bandsOf(lanes, narrow) {
  let top = 0;
  return lanes.map((lane) => {
    const [, pitch, bar] = (narrow ? NARROW_SIZES : SIZES).find(([most]) => lane.rows.length <= most);
    const above = narrow ? LABEL_ABOVE : PADDING;
    const height = Math.max(above + lane.rows.length * pitch + PADDING, LABEL);
    const band = { lane, top, height, first: top + above, pitch, bar };
    top += height;
    return band;
  });
}

/** The height of all bands. */
export function heightOf(bands) {
  const last = bands.at(-1);
  return last ? last.top + last.height : 0;
}

/** Index of the band at a height; the nearest one outside of them. */
export function bandAt(bands, y) {
  return Math.max(countWhile(bands, (band) => band.top <= y) - 1, 0);
}

/** Index of a band's row at a height; the nearest one outside of them. */
export function rowAt(band, y) {
  const row = Math.floor((y - band.first) / band.pitch);
  return Math.min(Math.max(row, 0), band.lane.rows.length - 1);
}

/** Top of a row's bars. */
export function barTop(band, row) {
  return band.first + row * band.pitch + (band.pitch - band.bar) / 2;
}

/**
 * The rows that are in sight, from top to bottom.
 * @param {Band[]} bands
 * @param {number} from
 * @param {number} to
 * @returns {{band: Band, first: number, last: number}[]}
 */
export function inSight(bands, from, to) {
  const seen = [];
  if (!bands.length) return seen;
  for (let index = bandAt(bands, from); index < bands.length && bands[index].top < to; index++) {
    const band = bands[index];
    seen.push({ band, first: rowAt(band, from), last: rowAt(band, to) });
  }
  return seen;
}
