/** The task's graph, with its nodes marked as they stand at the moment. */

import { ask } from "../lib/api.js";
import { el } from "../lib/dom.js";
import { begun } from "../timeline/runs.js";
import { drawingView } from "./drawing.js";

const AGAIN_MS = 3000;
const LOOKED_AT = 64; // runs of a node whose state is looked at, the latest

/** A panel that appears once the graph is known to the pod. */
export function graphView({ changed }) {
  const element = el("details", { class: "panel graph", open: true, hidden: true }, el("summary", { text: "Graph" }));
  let asked = false;
  let drawing = null;
  let shown = -2;
  const show = ({ timeline, at }) => {
    if (!asked && timeline.last >= 0) {
      asked = true;
      load(timeline.events[0].data.graph);
    }
    if (!drawing || at === shown) return;
    shown = at;
    drawing.mark(new Map(timeline.lanes.lanes.map((lane) => [lane.name, stateOf(lane, at)])));
  };
  const again = () => {
    asked = false;
    changed();
  };
  const load = async (name) => {
    const found = await ask("GET", "/graphs").catch(() => null);
    if (!found) return setTimeout(again, AGAIN_MS);
    const graph = found.graphs.find((one) => one.name === name);
    if (!graph) return; // no worker serves it any more: nothing is lost but the drawing
    drawing = drawingView(graph);
    shown = -2;
    element.append(drawing.element);
    element.hidden = false;
    changed();
  };
  return { element, show };
}

/** How a node stands: by its running runs if it has any, else by the last one that ended. */
function stateOf(lane, at) {
  const number = begun(lane.runs, at);
  const latest = lane.runs.slice(Math.max(0, number - LOOKED_AT), number);
  const open = latest.filter((run) => run.end > at);
  if (open.length) return open.every((run) => run.asked <= at) ? "waiting" : "running";
  const last = latest.at(-1);
  if (!last) return undefined;
  return last.voided <= at ? "void" : STATES[last.outcome];
}

const STATES = { completed: "succeeded", failed: "failed", asked: "waiting", "cut off": "cut" };
