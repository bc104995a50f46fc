/**
 * Timeline: a task as its events tell it, for every moment of it. Pure.
 *
 * Live and replay are the same thing here: the events so far are folded once, append-only, and what was to be
 * seen at any index is looked up. Nothing is folded again to go back.
 */

import { eventId } from "../lib/format.js";
import { countWhile, lastUpTo, upTo } from "../lib/search.js";
import { Lanes, TERMINAL } from "./runs.js";
import { Texts } from "./texts.js";

/**
 * @typedef {object} TaskEvent one event of the log, see docs/protocol.md
 * @property {number} seq
 * @property {number} attempt
 * @property {string} type
 * @property {string} ts RFC 3339
 * @property {string} [node]
 * @property {string} [run]
 * @property {Record<string, any>} data
 */

/** Milliseconds that an idle stretch (queued, or waiting for a person) takes on the display clock at most. */
export const LONGEST_IDLE = 2000;

export class Timeline {
  /** @type {TaskEvent[]} */
  events = [];
  /** @type {number[]} milliseconds on the display clock at each event: ascending, idle stretches cut short */
  clock = [];
  /** @type {{from: number, to: number, real: number, shown: number}[]} idle stretches that were cut: indices, ms */
  cuts = [];
  /** @type {{attempt: number, index: number, worker: string, supersedes: number[]}[]} */
  attempts = [];
  /** @type {number[]} indices of `node.failed` and `task.failed` */
  failures = [];
  /** @type {number[]} indices of `task.interrupted` */
  questions = [];
  lanes = new Lanes();
  texts = new Texts();
  #statuses = { indices: [], words: [] };
  #latest = -Infinity;

  /** Take the next event in. */
  push(event) {
    const index = this.events.push(event) - 1;
    this.#time(event, index);
    this.#status(event, index);
    if (event.type === "attempt.started") this.#attempt(event, index);
    if (event.type === "node.failed" || event.type === "task.failed") this.failures.push(index);
    if (event.type === "task.interrupted") this.questions.push(index);
    this.lanes.push(event, index);
    this.texts.push(event, index);
  }

  /** Forget what came after an event of that id, for its log was rolled back; gives the new timeline. */
  upTo(id) {
    const kept = new Timeline();
    for (const event of this.events.slice(0, this.indexOf(id) + 1)) kept.push(event);
    return kept;
  }

  /** Index of the last event; -1 when there is none. */
  get last() {
    return this.events.length - 1;
  }

  /** Whether the log is sealed: its terminal event has come. */
  get sealed() {
    return this.last >= 0 && TERMINAL.has(this.events[this.last].type);
  }

  /** Index of the event of that id, or of the last one before it; -1 if there is none. */
  indexOf(id) {
    const [attempt, seq] = id.split("-").map(Number);
    const isUpTo = (event) => event.attempt < attempt || (event.attempt === attempt && event.seq <= seq);
    return countWhile(this.events, isUpTo) - 1;
  }

  /** Id of the event at an index. */
  idAt(index) {
    return eventId(this.events[index]);
  }

  /** Index of the last event that had come at a time of the display clock; -1 before the first. */
  indexAt(time) {
    return upTo(this.clock, time) - 1;
  }

  /** The task's status at an index: `queued`, `running`, `waiting`, `cancelling`, or a final one. */
  statusAt(at) {
    return this.#statuses.words[upTo(this.#statuses.indices, at) - 1] ?? "queued";
  }

  /** The attempt that ran at an index; undefined before the first. */
  attemptAt(at) {
    return this.attempts[countWhile(this.attempts, ({ index }) => index <= at) - 1];
  }

  /** The questions that a person was asked at an index: `[{id, value}]`, empty unless the task waited. */
  questionsAt(at) {
    const index = this.statusAt(at) === "waiting" ? lastUpTo(this.questions, at) : undefined;
    return index === undefined ? [] : (this.events[index].data.interrupts ?? []);
  }

  /** The terminal event, if it had come at an index. */
  outcomeAt(at) {
    return this.sealed && at >= this.last ? this.events[this.last] : undefined;
  }

  /** Milliseconds that the display clock had left out at an index. */
  cutAt(at) {
    return this.cuts.reduce((sum, cut) => (cut.to <= at ? sum + cut.real - cut.shown : sum), 0);
  }

  /** Whether nothing ran after the event at an index: then time is cut on the display clock. */
  isIdleAfter(index) {
    const type = this.events[index]?.type;
    return type === "task.submitted" || type === "task.interrupted";
  }

  #time(event, index) {
    const at = Math.max(Date.parse(event.ts) || 0, this.#latest);
    const passed = index ? at - this.#latest : 0;
    const shown = index && this.isIdleAfter(index - 1) ? Math.min(passed, LONGEST_IDLE) : passed;
    if (shown < passed) this.cuts.push({ from: index - 1, to: index, real: passed, shown });
    this.clock.push(index ? this.clock[index - 1] + shown : 0);
    this.#latest = at;
  }

  #status(event, index) {
    const word = TERMINAL.get(event.type) ?? STATUSES[event.type];
    const last = this.#statuses.words.at(-1);
    if (!word || word === last || (last === "cancelling" && !TERMINAL.has(event.type))) return;
    this.#statuses.indices.push(index);
    this.#statuses.words.push(word);
  }

  #attempt(event, index) {
    const { worker = "", supersedes = [] } = event.data;
    this.attempts.push({ attempt: event.attempt, index, worker: String(worker), supersedes });
  }
}

const STATUSES = {
  "task.submitted": "queued",
  "attempt.started": "running",
  "task.interrupted": "waiting",
  "task.cancel_requested": "cancelling",
};
