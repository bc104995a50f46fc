/** The rows of the task list: each task keeps its row, and only what has changed is written anew. */

import { el, icon, set, setText } from "../lib/dom.js";
import { ago, count, duration, shortId, shorten } from "../lib/format.js";
import { setStatus, statusBadge } from "../lib/status.js";

const COLUMNS = ["Status", "Graph", "Task", "Details", "Last event", "Submitted", "Duration"];
const HEADLINES = ["question", "message", "title", "prompt"];

/** A table of tasks. The roles are told, for a table laid out as a grid loses its own in some browsers. */
export class Rows {
  #body = el("tbody", { role: "rowgroup" });
  #rows = new Map();

  constructor() {
    const headers = COLUMNS.map((text) => el("th", { role: "columnheader", scope: "col", text }));
    const head = el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...headers));
    const attributes = { class: "list-table", role: "table", "aria-label": "Tasks" };
    this.element = el("table", attributes, head, this.#body);
  }

  /** How many there are. */
  get size() {
    return this.#rows.size;
  }

  /**
   * Show these tasks, in this order.
   * @param {any[]} tasks as `GET /tasks` has them
   * @param {{now: number, fresh: boolean}} how `now` in milliseconds by the pod's clock; `fresh`: a task that
   *   wasn't there before is new
   */
  show(tasks, { now, fresh }) {
    this.#drop(new Set(tasks.map((task) => task.task_id)));
    let next = this.#body.firstElementChild;
    for (const task of tasks) {
      const row = this.#rows.get(task.task_id) ?? this.#add(task.task_id, fresh);
      row.update(task, now);
      if (row.element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.element, next);
    }
  }

  /** Let times go on. */
  tick(now) {
    for (const row of this.#rows.values()) row.tick(now);
  }

  /** Take all rows away. */
  clear() {
    this.#rows.clear();
    this.#body.replaceChildren();
  }

  /** Move the focus so many rows down, or up. */
  move(by) {
    const links = [...this.#body.querySelectorAll("a")];
    const next = links.indexOf(document.activeElement) + by;
    links[Math.min(Math.max(next, 0), links.length - 1)]?.focus();
  }

  #add(taskId, fresh) {
    const row = new Row(taskId, fresh);
    this.#rows.set(taskId, row);
    return row;
  }

  #drop(kept) {
    for (const [taskId, row] of this.#rows) {
      if (kept.has(taskId)) continue;
      const { element } = row;
      const near = element.nextElementSibling ?? element.previousElementSibling;
      const focused = element.contains(document.activeElement);
      element.remove();
      this.#rows.delete(taskId);
      if (focused) near?.querySelector("a").focus();
    }
  }
}

class Row {
  #task = null;

  constructor(taskId, fresh) {
    this.badge = statusBadge("queued");
    this.graph = el("bdi");
    this.link = el("a", { class: "mono", href: `/?task=${taskId}`, title: taskId, text: shortId(taskId) });
    this.attempt = el("span", { class: "list-attempt", hidden: true });
    this.fact = el("bdi");
    const kinds = ["status", "graph", "id", "fact", "event mono", "age", "duration"];
    const cells = kinds.map((kind) => el("td", { role: "cell", class: `list-${kind}` }));
    [this.badge, this.graph, this.link].forEach((node, index) => cells[index].append(node));
    cells[3].append(this.attempt, this.fact);
    [, , , this.factCell, this.event, this.age, this.duration] = cells;
    this.element = el("tr", { role: "row", class: fresh ? "list-fresh" : null }, ...cells);
  }

  update(task, now) {
    this.#task = task;
    setStatus(this.badge, task.status);
    setText(this.graph, task.graph);
    setLabel(this.link, `${task.graph}, task ${shortId(task.task_id)}`);
    setText(this.event, task.last_event_id);
    this.#attempt(task.attempt);
    const fact = factOf(task);
    setText(this.fact, fact.text);
    if (this.factCell.title !== fact.text) this.factCell.title = fact.text;
    set(this.fact, { class: fact.tone });
    if (!this.age.title) this.age.title = new Date(task.created_at).toLocaleString();
    this.tick(now);
  }

  tick(now) {
    const { created_at: created, started_at: started, ended_at: ended } = this.#task;
    setText(this.age, ago(now - Date.parse(created)));
    const end = ended ? Date.parse(ended) : now;
    setText(this.duration, started ? duration(end - Date.parse(started)) : "–");
  }

  #attempt(number) {
    this.attempt.hidden = number < 2;
    if (number < 2 || this.attempt.dataset.number === String(number)) return;
    this.attempt.dataset.number = number;
    this.attempt.replaceChildren(icon("repeat"), `attempt ${number}`);
  }
}

function setLabel(node, label) {
  if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
}

/** What is to know of a task, in a line: why it failed, what it asks. */
function factOf({ error, interrupts }) {
  if (error) return { text: oneLine(`${error.code}: ${error.message}`), tone: "tone-failed" };
  if (!interrupts?.length) return { text: "", tone: "" };
  const more = interrupts.length > 1 ? ` (and ${count(interrupts.length - 1, "more question")})` : "";
  return { text: oneLine(questionText(interrupts[0].value)) + more, tone: "tone-waiting" };
}

function questionText(value) {
  if (typeof value === "string") return value;
  const headline = HEADLINES.map((name) => value?.[name]).find((text) => typeof text === "string");
  return headline ?? JSON.stringify(value);
}

function oneLine(text) {
  return shorten(text.replaceAll(/\s+/g, " "), 300);
}
