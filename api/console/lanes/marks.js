/** What is drawn of the runs in a row: a mark each, but one for all that share a few pixels. Pure. */

import { duration, fraction, progressText, shorten } from "../lib/format.js";
import { countWhile, upTo } from "../lib/search.js";
import { begun, stateAt } from "../timeline/runs.js";

/**
 * @typedef {object} Mark
 * @property {import("../timeline/runs.js").Run} run its first run
 * @property {number} count how many runs it stands for
 * @property {string} state as of `stateAt`; of several the gravest
 * @property {number} x
 * @property {number} width pixels
 * @property {number} room pixels that are free between it and the next run of its row
 */

export const NARROWEST = 3;
const BETWEEN = 1;
const BEYOND = 8;
const GRAVITY = ["completed", "answered", "superseded", "cut off", "running", "waiting", "failed"];

/**
 * The marks of a row at a moment, from left to right.
 * @param {import("../timeline/runs.js").Run[]} row
 * @param {{timeline: import("../timeline/timeline.js").Timeline, at: number, time: number}} moment
 * @param {import("./scale.js").Scale} scale
 * @returns {Mark[]}
 */
export function marksOf(row, moment, scale) {
  const marks = [];
  const { clock } = moment.timeline;
  const right = scale.left + scale.width;
  const number = begun(row, moment.at);
  let index = firstIn(row, clock, scale.from);
  for (; index < number && clock[row[index].begin] <= scale.to; index++) {
    const mark = markOf(row[index], moment, scale);
    const last = marks.at(-1);
    if (last && mark.x < last.x + last.width + BETWEEN) join(marks, last, mark);
    else marks.push(mark);
  }
  const next = index < row.length ? Math.min(scale.x(clock[row[index].begin]), right) : right;
  marks.forEach((mark, at) => (mark.room = roomAfter(mark, marks[at + 1]?.x ?? next, moment, scale)));
  return marks;
}

/** The time at which a run ended, or the moment's while it hadn't. */
export function endTime(run, { timeline, at, time }) {
  return run.end <= at ? timeline.clock[run.end] : Math.max(time, timeline.clock[run.begin]);
}

/** Index of the last thing a run had reported; undefined if nothing. */
export function lastProgress(run, at) {
  return run.progress[upTo(run.progress, at) - 1];
}

/** How far a run is, 0 to 1: what it reported last; null when it doesn't tell. */
export function fractionAt(run, { timeline, at }) {
  const index = lastProgress(run, at);
  return index === undefined ? null : fraction(timeline.events[index].data);
}

/** What a run says of itself on one line: why it failed, or what it reported last; empty if nothing. */
export function messageAt(run, { timeline, at }) {
  const failed = run.outcome === "failed" && run.end <= at;
  const index = lastProgress(run, at);
  if (failed) return oneLine(shorten(String(timeline.events[run.end].data.message ?? "")));
  return index === undefined ? "" : oneLine(progressText(timeline.events[index].data));
}

/** How long a run took, or has taken so far; idle stretches in full. */
export function durationAt(run, moment) {
  const { timeline, at } = moment;
  const cut = run.end <= at ? timeline.cutAt(run.end) - timeline.cutAt(run.begin) : 0;
  return duration(endTime(run, moment) - timeline.clock[run.begin] + cut);
}

/** What stands in a bar: what its run says, or how long it took. */
export function noteAt(run, moment) {
  return messageAt(run, moment) || (run.end <= moment.at ? durationAt(run, moment) : "");
}

/** Where a run's bar is, cut to what the axis shows. */
export function boxOf(run, moment, scale) {
  const x = Math.max(scale.x(moment.timeline.clock[run.begin]), scale.left - BEYOND);
  const end = Math.min(scale.x(endTime(run, moment)), scale.left + scale.width + BEYOND);
  return { x, width: Math.max(end - x - BETWEEN, NARROWEST) };
}

function markOf(run, moment, scale) {
  const { x, width } = boxOf(run, moment, scale);
  return { run, count: 1, state: stateAt(run, moment.at), x, width, room: 0 };
}

/** Narrow marks become one; a wide one keeps its own, and cuts a narrow one before it. */
function join(marks, last, mark) {
  const [wide, after] = [mark.width > 2 * NARROWEST, last.width > 2 * NARROWEST];
  if (wide && !after) last.width = Math.max(mark.x - last.x - BETWEEN, 1);
  if (wide || (after && last.state !== mark.state)) {
    mark.x = Math.max(mark.x, last.x + last.width + BETWEEN);
    marks.push(mark);
    return;
  }
  last.width = Math.max(mark.x + mark.width - last.x, last.width);
  last.count += mark.count;
  if (GRAVITY.indexOf(mark.state) > GRAVITY.indexOf(last.state)) last.state = mark.state;
}

/**
 * What comes later than the moment isn't drawn, but no text stands where it will be. Only runs that haven't
 * ended have their text beyond the moment.
 */
function roomAfter(mark, next, { at, time }, scale) {
  const limit = mark.run.end <= at ? Math.min(next, scale.x(time)) : next;
  return Math.max(limit - mark.x - mark.width, 0);
}

/** Index of the first run of a row that reaches into the time after `from`; runs of a row don't overlap. */
function firstIn(row, clock, from) {
  return countWhile(row, (run) => (clock[run.end] ?? Infinity) < from);
}

function oneLine(text) {
  return text.replaceAll(/\s+/g, " ").trim();
}
