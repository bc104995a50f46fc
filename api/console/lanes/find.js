/** Finding runs in the picture: under the pointer, and from one to the next by key. Pure. */

import { begun } from "../timeline/runs.js";
import { bandAt, rowAt } from "./layout.js";
import { endTime } from "./marks.js";

const PAGE = 10;

/**
 * The run whose bar is at a place; undefined if none is.
 * @param {import("./layout.js").Band[]} bands
 * @param {number} y pixels from the first band's top
 * @param {number} time milliseconds of the display clock
 * @param {number} slack by how many milliseconds it may be missed
 */
export function runAtPlace(bands, y, time, slack, moment) {
  const band = bands[bandAt(bands, y)];
  if (!band || y < band.first || y >= band.first + band.lane.rows.length * band.pitch) return undefined;
  const run = nearest(band.lane.rows[rowAt(band, y)], time + slack, moment);
  return run && endTime(run, moment) + slack >= time && begins(run, moment) - slack <= time ? run : undefined;
}

/** The run that a key leads to from another; the same one if there is none. */
export function runByKey(bands, run, key, moment) {
  const row = bandOf(bands, run).lane.rows[run.row];
  const runs = row.slice(0, begun(row, moment.at));
  const index = runs.indexOf(run);
  if (key === "ArrowLeft") return runs[index - 1] ?? run;
  if (key === "ArrowRight") return runs[index + 1] ?? run;
  if (key === "Home") return runs[0] ?? run;
  if (key === "End") return runs.at(-1) ?? run;
  const direction = key === "ArrowUp" || key === "PageUp" ? -1 : 1;
  return runInRow(bands, run, direction, key.startsWith("Page") ? PAGE : 1, moment);
}

/** The band of a run's lane; undefined if it isn't there. */
export function bandOf(bands, run) {
  return bands.find((band) => band.lane.name === run.name);
}

/** The first run there is at a moment, from a height downwards. */
export function firstRun(bands, y, moment) {
  for (const band of bands.slice(bandAt(bands, y))) {
    if (begun(band.lane.runs, moment.at)) return band.lane.runs[0];
  }
  return bands.flatMap((band) => band.lane.runs.slice(0, 1)).find((run) => run.begin <= moment.at);
}

/** So many rows further up or down, the run that is nearest in time. */
function runInRow(bands, run, direction, steps, moment) {
  let [index, row, found, left] = [bands.indexOf(bandOf(bands, run)), run.row, run, steps];
  while (left > 0) {
    row += direction;
    if (row < 0 || row >= bands[index].lane.rows.length) {
      index += direction;
      if (!bands[index]) break;
      row = direction > 0 ? 0 : bands[index].lane.rows.length - 1;
    }
    const next = nearest(bands[index].lane.rows[row], begins(run, moment), moment);
    if (next) [found, left] = [next, left - 1];
  }
  return found;
}

/** The last run of a row that had begun at a time, else its first. */
function nearest(row, time, moment) {
  const number = begun(row, Math.min(moment.timeline.indexAt(time), moment.at));
  return row[Math.max(number, 1) - 1].begin <= moment.at ? row[Math.max(number, 1) - 1] : undefined;
}

function begins(run, { timeline }) {
  return timeline.clock[run.begin];
}
