/** How a task ended: its result, or what went wrong. Nothing before the end. */

import { copyButton } from "../lib/copy.js";
import { el, icon, set, setText } from "../lib/dom.js";
import { clockTime, nodeName } from "../lib/format.js";
import { jsonView } from "../lib/json.js";
import { lastUpTo } from "../lib/search.js";
import { valueView } from "../lib/values.js";

/**
 * The outcome.
 * @param {{select: (index: number) => void}} actions
 * @returns {{element: HTMLElement, show(moment: import("../timeline/player.js").Moment): void}}
 */
export function outcomeView(actions) {
  const element = el("section", { class: "panel outcome", "aria-label": "Outcome", hidden: true });
  let shown = null;
  const show = ({ timeline, at }) => {
    const event = timeline.outcomeAt(at) ?? null;
    if (event === shown) return;
    shown = event;
    set(element, { hidden: !event });
    element.replaceChildren(...(event ? MAKERS[event.type](event, timeline, actions) : []));
  };
  return { element, show };
}

const MAKERS = { "task.succeeded": succeeded, "task.failed": failed, "task.cancelled": cancelled };

const CODES = {
  graph_error: "A node raised an error.",
  timeout: "It ran for longer than a task may.",
  bad_output: "Its result is too large, or nothing that JSON can hold.",
  quota_exceeded: "Its log grew beyond what a task may have.",
  poison: "Several attempts in a row finished no node.",
};

function succeeded(event) {
  const { result } = event.data;
  const body = bodyOf();
  const raw = el("button", { type: "button", class: "plain", "aria-pressed": "false" }, "JSON");
  const showResult = (asJson) => {
    set(raw, { "aria-pressed": String(asJson) });
    body.replaceChildren(asJson ? jsonView(result ?? null, "Result") : resultView(result));
  };
  raw.addEventListener("click", () => showResult(raw.getAttribute("aria-pressed") === "false"));
  showResult(false);
  const copy = copyButton("Copy", () =>
    typeof result === "string" ? result : JSON.stringify(result ?? null, null, 2),
  );
  return [heading("succeeded", "check", "Result", raw, copy), body];
}

function resultView(result) {
  if (result === null || result === undefined)
    return el("p", { class: "muted", text: "The graph gave no result." });
  return valueView(result, "Result");
}

function failed(event, timeline, { select }) {
  const { code, message, node, traceback_id: traceback } = event.data;
  const text = valueView(String(message ?? ""), "Message");
  text.classList.add("outcome-message");
  const facts = el("dl", { class: "outcome-facts" });
  const fact = (term, ...nodes) =>
    facts.append(el("div", {}, el("dt", { text: term }), el("dd", {}, ...nodes)));
  fact("Code", el("code", { text: String(code ?? "") }), ` ${CODES[code] ?? ""}`);
  if (node) fact("Node", nodeButton(timeline, String(node), select));
  if (traceback) fact("Traceback", el("code", { text: String(traceback) }), " in the worker's log");
  return [heading("failed", "cross", "Failed"), bodyOf(text, facts)];
}

/** Selects the event with which the node failed, or else the task's last one. */
function nodeButton(timeline, node, select) {
  const isNodes = (index) =>
    timeline.events[index].type === "node.failed" && timeline.events[index].node === node;
  const index = timeline.failures.findLast(isNodes) ?? timeline.last;
  const button = el("button", { type: "button", on: { click: () => select(index) } });
  setText(button, nodeName(timeline.events[index]) || node);
  set(button, { title: `Inspect event ${timeline.idAt(index)}` });
  return button;
}

function cancelled(event, timeline) {
  const asked = requestOf(timeline);
  const when = asked ? ` The request came at ${clockTime(asked.ts)}.` : "";
  const text = `The task was cancelled at ${clockTime(event.ts)}.${when} Its log has what it had done.`;
  return [heading("cancelled", "ban", "Cancelled"), bodyOf(el("p", { text }))];
}

function requestOf({ events, attempts, last }) {
  const from = Math.min(
    lastUpTo(
      attempts.map(({ index }) => index),
      last,
    ) ?? 0,
    Math.max(0, last - 1000),
  );
  return events.slice(from).findLast(({ type }) => type === "task.cancel_requested");
}

/** It scrolls when it's long, so the keyboard must reach it. */
function bodyOf(...nodes) {
  return el(
    "div",
    { class: "body outcome-body", tabindex: 0, role: "group", "aria-label": "What came of it" },
    ...nodes,
  );
}

function heading(tone, shape, text, ...tools) {
  const title = el("h2", { class: `outcome-title tone-${tone}` }, icon(shape), text);
  return el("header", { class: `tone-${tone}` }, title, ...tools);
}
