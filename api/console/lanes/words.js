/** Runs in words: for the tooltip, for who can't see the picture, and for the picture as a whole. */

import { count } from "../lib/format.js";
import { upTo } from "../lib/search.js";
import { begun, stateAt } from "../timeline/runs.js";
import { durationAt, messageAt } from "./marks.js";

const STATES = {
  running: "running", waiting: "waiting for an answer", completed: "completed", failed: "failed",
  answered: "asked, and begun again with the answer", "cut off": "cut off",
};

/**
 * What is known of a run at a moment, each thing with its name.
 * @returns {[string, string][]}
 */
export function runFacts(run, moment) {
  const facts = [
    ["state", stateText(run, moment)],
    ["duration", durationAt(run, moment)],
    ["attempt", String(run.attempt)],
    ["run", run.run],
  ];
  const message = messageAt(run, moment);
  return message ? [...facts, ["message", message]] : facts;
}

/** A run in one sentence. */
export function runText(run, moment) {
  const facts = Object.fromEntries(runFacts(run, moment));
  const said = facts.message ? `: ${facts.message}` : "";
  return `${run.name}, ${facts.state}, ${facts.duration}, attempt ${facts.attempt}${said}`;
}

/** All of them in one sentence. */
export function lanesText({ timeline, at }, open) {
  const { lanes } = timeline.lanes;
  const runs = lanes.reduce((sum, lane) => sum + begun(lane.runs, at), 0);
  const waiting = open.filter((run) => stateAt(run, at) === "waiting").length;
  const failed = upTo(timeline.failures, at);
  const parts = [count(lanes.length, "node"), count(runs, "run"), `${open.length - waiting} running`];
  if (waiting) parts.push(`${waiting} waiting for an answer`);
  if (failed) parts.push(count(failed, "failure"));
  return `Nodes over time: ${parts.join(", ")}`;
}

function stateText(run, { timeline, at }) {
  const state = stateAt(run, at);
  if (state !== "superseded") return STATES[state];
  return `superseded by attempt ${timeline.events[run.voided].attempt}`;
}
