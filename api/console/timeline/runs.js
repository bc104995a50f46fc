/**
 * Lanes: a task's node runs, in rows that never overlap. Pure.
 *
 * What is kept is append-only and speaks of indices into the timeline's events, so the same lanes answer for
 * every moment: at index `at` a run is there if `begin <= at`, over if `end <= at`, void if `voided <= at`.
 */

import { nodeName } from "../lib/format.js";
import { countWhile } from "../lib/search.js";

/**
 * @typedef {object} Run one execution of a node
 * @property {string} name the node, with the path of subgraphs that leads to it
 * @property {string} run id; the same node and input keep it across attempts
 * @property {number} attempt in which it began
 * @property {number} begin index of the event it began with
 * @property {number} end index of the event that ended it; Infinity while it runs
 * @property {"completed" | "failed" | "asked" | "cut off" | ""} outcome how it ended; "asked": its question
 *   was answered and it begins again with the answer; "cut off": its attempt or the task ended first
 * @property {number} asked index of the `task.interrupted` that has its question; Infinity if it asked nobody
 * @property {number} voided index of the `attempt.started` that says it's done again; Infinity if none does
 * @property {number[]} progress indices of what it reported
 * @property {number} row within its lane
 * @property {number} wave the runs that it is parallel to: index into its lane's waves
 */

/**
 * @typedef {object} Lane all runs of one node
 * @property {string} name
 * @property {Run[]} runs in the order in which they began
 * @property {Run[][]} rows the same runs, in as few rows as are needed so that no two of a row overlap
 * @property {number[]} waves index of the first run of each: the lane was empty before it
 */

export class Lanes {
  /** @type {Lane[]} in the order of their appearance */
  lanes = [];
  /** @type {number[]} indices of progress that no node is known for */
  unattributed = [];
  #byName = new Map();
  #open = new Map();
  #latest = new Map();
  #bySeq = new Map();

  /** Take the next event in. */
  push(event, index) {
    if (event.type === "attempt.started") return this.#attempt(event, index);
    if (event.type.startsWith("task.")) return this.#task(event, index);
    if (!event.run) return event.type === "progress" && this.unattributed.push(index);
    const run = this.#running(event, index) ?? this.#ended(event) ?? this.#begin(event, index);
    this.#bySeq.set(event.seq, run);
    if (event.type === "progress") run.progress.push(index);
    else if (event.type === "node.completed") this.#end(run, index, "completed");
    else if (event.type === "node.failed") this.#end(run, index, "failed");
  }

  /** The run that an event is of; undefined for one of no node. */
  runOf(event) {
    return this.#bySeq.get(event.seq);
  }

  /** Whether a run had begun at an index, and is not of a timeline that was rolled back. */
  isThere(run, at) {
    const row = this.#byName.get(run.name)?.rows[run.row];
    return run.begin <= at && row?.[begun(row, run.begin) - 1] === run;
  }

  /** The runs that had begun at an index and not ended, by lane and row. */
  openAt(at) {
    const open = [];
    for (const lane of this.lanes) {
      for (const row of lane.rows) {
        const run = row[begun(row, at) - 1];
        if (run && run.end > at) open.push(run);
      }
    }
    return open;
  }

  #running(event, index) {
    const run = this.#open.get(event.run);
    if (event.type !== "node.started" || !run || run.attempt === event.attempt) return run;
    return this.#end(run, index, "cut off");
  }

  /** What a node says after its end, by a task it left behind, begins nothing. */
  #ended(event) {
    const run = event.type.startsWith("node.") ? undefined : this.#latest.get(event.run);
    return run?.attempt === event.attempt ? run : undefined;
  }

  #begin(event, index) {
    const name = nodeName(event);
    const lane = this.#lane(name);
    const run = { name, run: event.run, attempt: event.attempt, begin: index, end: Infinity, outcome: "" };
    Object.assign(run, { asked: Infinity, voided: Infinity, progress: [] });
    Object.assign(run, { wave: this.#wave(lane, event.run), row: lane.free.take() });
    if (run.row === lane.rows.length) lane.rows.push([]);
    lane.rows[run.row].push(run);
    lane.runs.push(run);
    this.#open.set(event.run, run);
    this.#latest.set(event.run, run);
    return run;
  }

  /** A run that is done again belongs to the wave that it was cut out of. */
  #wave(lane, id) {
    const [before, last] = [this.#latest.get(id), lane.waves.length - 1];
    const goesOn = lane.free.some || (before?.name === lane.name && before.wave === last);
    return goesOn ? last : lane.waves.push(lane.runs.length) - 1;
  }

  #lane(name) {
    if (!this.#byName.has(name)) {
      const lane = { name, runs: [], rows: [], waves: [], free: new FreeRows() };
      this.#byName.set(name, lane);
      this.lanes.push(lane);
    }
    return this.#byName.get(name);
  }

  #end(run, index, outcome) {
    Object.assign(run, { end: index, outcome });
    this.#byName.get(run.name).free.giveBack(run.row);
    this.#open.delete(run.run);
  }

  /** Those it doesn't do again have finished, though that may be told only after it. */
  #attempt(event, index) {
    for (const seq of event.data?.supersedes ?? []) {
      const run = this.#bySeq.get(seq);
      if (run?.asked === Infinity) run.voided = Math.min(run.voided, index);
      if (run?.end === Infinity) this.#end(run, index, run.asked === Infinity ? "cut off" : "asked");
    }
  }

  #task(event, index) {
    if (event.type === "task.interrupted") for (const run of this.#open.values()) run.asked = index;
    if (!TERMINAL.has(event.type)) return;
    for (const run of [...this.#open.values()]) this.#end(run, index, "cut off");
  }
}

export const TERMINAL = new Map([
  ["task.succeeded", "succeeded"],
  ["task.failed", "failed"],
  ["task.cancelled", "cancelled"],
]);

/** How many of the runs of a lane, or of a row, had begun at an index. */
export function begun(runs, at) {
  return countWhile(runs, (run) => run.begin <= at);
}

/**
 * What a run that has begun was at an index; "answered": its question was, and it begins again with that.
 * @returns {"running" | "waiting" | "completed" | "failed" | "answered" | "cut off" | "superseded"}
 */
export function stateAt(run, at) {
  if (run.voided <= at) return "superseded";
  if (run.end <= at) return run.outcome === "asked" ? "answered" : run.outcome;
  return run.asked <= at ? "waiting" : "running";
}

/**
 * The latest parallel runs of a lane at an index: those that count, and of these the ones that have ended.
 * @returns {{runs: Run[], done: number}} no runs before the first
 */
export function waveAt(lane, at) {
  const number = begun(lane.runs, at);
  if (!number) return { runs: [], done: 0 };
  const wave = lane.runs.slice(lane.waves[lane.runs[number - 1].wave], number);
  const runs = wave.filter((run) => !REPEATED.has(stateAt(run, at)));
  return { runs, done: runs.filter((run) => run.end <= at).length };
}

const REPEATED = new Set(["superseded", "answered"]);

/** The rows of a lane that no run is in; the lowest comes first. */
class FreeRows {
  #given = 0;
  #back = [];

  /** Whether a run is in some row. */
  get some() {
    return this.#given > this.#back.length;
  }

  take() {
    return this.#back.length ? this.#back.shift() : this.#given++;
  }

  giveBack(row) {
    this.#back.splice(countWhile(this.#back, (free) => free < row), 0, row);
  }
}
