/** The head of a task's page: what it is, how it stands, and how to end it. */

import { session } from "../auth/session.js";
import { ask } from "../lib/api.js";
import { copyText, el, icon, set, setText } from "../lib/dom.js";
import { clockTime, count, duration, shortId } from "../lib/format.js";
import { FINAL, setStatus, statusBadge } from "../lib/status.js";

/** `pill` shows the connection. */
export function headView({ taskId }, pill) {
  const name = el("h1", { text: "Task" });
  const badge = statusBadge("queued");
  const facts = el("dl", { class: "head-facts number" });
  const again = el("a", { class: "button", hidden: true }, icon("repeat"), "Run again");
  const cancel = cancelButton(taskId);
  const element = el(
    "header",
    { class: "head" },
    el("div", { class: "head-title" }, name, badge, idButton(taskId)),
    facts,
    el("div", { class: "head-actions" }, pill, again, cancel.element),
  );
  const show = (moment) => {
    const submitted = moment.timeline.events[0]?.data;
    const status = moment.timeline.statusAt(moment.at);
    setText(name, submitted?.graph ?? "Task");
    document.title = submitted ? `${submitted.graph} ${status} · Taskreel` : "Task · Taskreel";
    setStatus(badge, status);
    showFacts(facts, moment);
    if (submitted) {
      const graph = encodeURIComponent(submitted.graph);
      set(again, { hidden: false, href: `/?new&graph=${graph}&like=${encodeURIComponent(taskId)}` });
    }
    cancel.show(moment.timeline.statusAt(moment.timeline.last));
  };
  return { element, show };
}

function idButton(taskId) {
  const said = el("span", { class: "offscreen", role: "status" });
  const copy = async () => {
    said.textContent = "";
    said.textContent = (await copyText(taskId)) ? "The task's id is copied" : "";
  };
  const label = `Copy the task's id, ${taskId}`;
  const button = el("button", { type: "button", class: "plain mono head-id", title: taskId, "aria-label": label });
  button.append(shortId(taskId), icon("copy"));
  button.addEventListener("click", copy);
  return el("span", {}, button, said);
}

function showFacts(list, { timeline, at, elapsed }) {
  const attempt = timeline.attemptAt(at);
  const facts = [
    ["Time", duration(elapsed)],
    ["Events", count(at + 1, "event").replace(/ events?$/, "")],
    ["Attempt", attempt ? `${attempt.attempt}` : "none yet"],
    ["Submitted", timeline.last >= 0 ? clockTime(timeline.events[0].ts).slice(0, 8) : "–"],
  ];
  while (list.children.length < facts.length) list.append(el("div", {}, el("dt"), el("dd")));
  facts.forEach(([term, text], index) => {
    const [dt, dd] = list.children[index].children;
    setText(dt, term);
    setText(dd, text);
  });
  set(list.children[2], { title: attempt && `worker ${attempt.worker}` });
}

function cancelButton(taskId) {
  const trouble = el("p", { class: "notice tone-failed", role: "alert", hidden: true });
  const confirm = el("button", { type: "submit", class: "primary" }, "Cancel the task");
  const keep = el("button", { type: "button", on: { click: () => dialog.close() } }, "Let it run");
  const form = el("form", { method: "dialog" }, el("h2", { text: "Cancel this task?" }));
  form.append(el("p", { text: "It ends as soon as can be. What it has done so far stays in its log." }), trouble);
  form.append(el("div", { class: "head-choice" }, keep, confirm));
  const dialog = el("dialog", { class: "head-dialog", "aria-label": "Cancel this task?" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await sendCancel(taskId, { confirm, dialog, trouble });
  });
  const open = el("button", { type: "button", class: "danger", hidden: true }, icon("ban"), "Cancel");
  open.addEventListener("click", () => {
    set(trouble, { hidden: true });
    dialog.showModal();
  });
  const show = (status) => {
    set(open, { hidden: FINAL.has(status) || !session.mayChange });
    open.disabled = status === "cancelling";
    if (FINAL.has(status) && dialog.open) dialog.close();
  };
  return { element: el("span", {}, open, dialog), show };
}

async function sendCancel(taskId, { confirm, dialog, trouble }) {
  confirm.disabled = true;
  try {
    await ask("POST", `/tasks/${encodeURIComponent(taskId)}/cancel`);
    dialog.close();
  } catch (problem) {
    set(trouble, { hidden: false, text: problem.message });
  } finally {
    confirm.disabled = false;
  }
}
