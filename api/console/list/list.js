/** The page of all tasks: newest first, by status and graph, kept up to date. */

import { session } from "../auth/session.js";
import { exampleOf } from "../form/schema.js";
import { ask, exchange } from "../lib/api.js";
import { submitLine } from "../lib/curl.js";
import { el, icon, set, setText } from "../lib/dom.js";
import { poll } from "../lib/poll.js";
import { STATUSES } from "../lib/status.js";
import { Rows } from "./rows.js";

const PAGE_SIZE = 50;
const EVERY_MS = 2000;
const PATIENCE_MS = 10_000; // a pod that takes longer counts as gone

/** Fill the page; `?status=`, `?graph=` and `?cursor=` are those of `GET /tasks`. */
export async function mount(root, { signal }) {
  const page = new ListPage(signal);
  root.append(page.element);
  page.open();
}

class ListPage {
  #signal;
  #rows = new Rows();
  #graphs = [];
  #query = currentQuery();
  #skew = 0;
  #loaded = null; // the query that the rows are of
  #retryAt = 0;
  #now = () => {};

  constructor(signal) {
    this.#signal = signal;
    this.title = el("h1", { text: "Tasks" });
    this.filters = el("nav", { class: "list-filters", "aria-label": "Status" });
    this.select = el("select", { "aria-label": "Graph" });
    this.select.addEventListener("change", () => this.#go({ graph: this.select.value }));
    this.notice = el("p", { class: "notice tone-failed list-notice", role: "status", hidden: true });
    this.empty = el("div", { class: "list-empty", hidden: true });
    this.pages = el("nav", { class: "list-pages", "aria-label": "Pages" });
    const add = el("a", { class: "button primary", href: "/?new" }, icon("plus"), "New task");
    const table = el("div", { class: "panel" }, this.#rows.element, this.empty);
    const head = el("header", { class: "list-head" }, this.title, add);
    const bar = el("div", { class: "list-bar" }, this.filters, this.select);
    this.element = el("div", { class: "list" }, head, bar, this.notice, table, this.pages);
    this.element.addEventListener("click", (event) => this.#click(event));
  }

  /** Begin to follow the tasks. */
  open() {
    const signal = this.#signal;
    this.#showFilters();
    // On the rows alone: a letter anywhere would be a trap for who speaks to the page (WCAG 2.1.4).
    this.#rows.element.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("popstate", () => this.#moved(), { signal });
    const ticking = setInterval(() => this.#tick(), 1000);
    signal.addEventListener("abort", () => clearInterval(ticking));
    this.#now = poll(() => this.#load(), {
      every: EVERY_MS,
      signal,
      failed: (problem, retryAt) => this.#failed(problem, retryAt),
    });
  }

  async #load() {
    const query = this.#query;
    const limits = { signal: this.#signal, patience: PATIENCE_MS };
    const found = await exchange("GET", "/tasks", { query: { ...query, limit: PAGE_SIZE }, ...limits });
    if (!this.#graphs.length) await this.#loadGraphs(limits);
    if (query === this.#query && !this.#signal.aborted) this.#show(found);
  }

  async #loadGraphs(limits) {
    this.#graphs = (await ask("GET", "/graphs", limits)).graphs;
    this.#showFilters();
  }

  #show({ content: { tasks, next }, skew }) {
    this.#skew = skew;
    this.#retryAt = 0;
    set(this.notice, { hidden: true });
    set(this.element, { "aria-busy": false, class: "list" });
    const fresh = this.#loaded === this.#query && !this.#query.cursor;
    this.#loaded = this.#query;
    this.#rows.show(tasks, { now: this.#serverNow(), fresh });
    set(this.#rows.element, { hidden: !tasks.length });
    this.#showEmpty(tasks.length === 0);
    this.#showPages(next);
  }

  /** Old rows stay, greyed: they were true a moment ago. */
  #failed(problem, retryAt) {
    this.#retryAt = retryAt;
    set(this.element, { class: "list list-stale", "aria-busy": false });
    const text = troubleText(problem);
    if (this.notice.hidden || this.notice.dataset.text !== text) this.#announce(text);
    set(this.notice, { hidden: false, data: { text } });
    this.#tick();
  }

  #announce(text) {
    this.seconds = el("span", { "aria-hidden": "true" });
    const retry = el("button", { type: "button", text: "Try now", on: { click: () => this.#now() } });
    const { status, graph, cursor } = this.#query;
    const clear = (status || graph || cursor) && clearLink();
    this.notice.replaceChildren(icon("alert"), el("span", {}, text, this.seconds, "."), retry, clear || "");
  }

  #tick() {
    const left = Math.max(1, Math.ceil((this.#retryAt - Date.now()) / 1000));
    if (this.#retryAt) setText(this.seconds, ` in ${left} s`);
    else this.#rows.tick(this.#serverNow());
  }

  #serverNow() {
    return Date.now() + this.#skew;
  }

  #showFilters() {
    const { status, graph } = this.#query;
    const chips = ["", ...STATUSES].map((word) => {
      const current = word === status && "true";
      const address = href({ status: word, graph });
      return el("a", { class: "list-chip", href: address, "aria-current": current, text: word || "all" });
    });
    const focused = [...this.filters.children].indexOf(document.activeElement);
    this.filters.replaceChildren(...chips);
    chips[focused]?.focus();
    const names = [...new Set([...this.#graphs.map(({ name }) => name), graph])].filter(Boolean).sort();
    const options = names.map((name) => el("option", { value: name, text: name }));
    this.select.replaceChildren(el("option", { value: "", text: "any graph" }), ...options);
    this.select.value = graph;
    const words = [status, graph].filter(Boolean).join(" ");
    document.title = `${words ? `Tasks: ${words}` : "Tasks"} · Taskreel`;
  }

  #showEmpty(empty) {
    const { status, graph, cursor } = this.#query;
    const key = empty ? JSON.stringify([status, graph, cursor, this.#graphs.length]) : "";
    if (this.empty.dataset.key === key) return;
    set(this.empty, { hidden: !empty, data: { key } });
    if (!empty) return;
    const words = cursor ? noOlder() : status || graph ? noMatch(status, graph) : noTask(this.#graphs[0]);
    this.empty.replaceChildren(...words.filter(Boolean));
  }

  #showPages(next) {
    const { status, graph, cursor } = this.#query;
    const key = JSON.stringify([status, graph, cursor, next]);
    if (this.pages.dataset.key === key) return;
    const older = href({ status, graph, cursor: next });
    const links = [
      cursor && el("a", { class: "button", href: href({ status, graph }) }, icon("skip-start"), "Newest"),
      next && el("a", { class: "button", href: older }, "Older", icon("chevron-right")),
    ].filter(Boolean);
    const focused = this.pages.contains(document.activeElement);
    this.pages.replaceChildren(...links);
    set(this.pages, { hidden: !links.length, data: { key } });
    if (focused) links.at(-1)?.focus();
  }

  /** A filter or a page is another address of this same page: nothing else need be made anew. */
  #click(event) {
    const link = event.target.closest(".list-chip, .list-pages a, .list-clear");
    if (!link || event.button !== 0 || event.shiftKey || hasModifier(event)) return;
    event.preventDefault();
    this.#visit(link.getAttribute("href"));
    if (link.closest(".list-pages")) scrollTo(0, 0);
  }

  #go(change) {
    this.#visit(href({ status: this.#query.status, graph: this.#query.graph, ...change }));
  }

  #visit(address) {
    if (address !== `/${location.search}`) history.pushState(null, "", address);
    this.#moved();
  }

  #moved() {
    const query = currentQuery();
    if (JSON.stringify(query) === JSON.stringify(this.#query)) return;
    this.#query = query;
    set(this.element, { "aria-busy": "true" });
    this.#showFilters();
    this.#now();
  }

  #key(event) {
    const by = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || hasModifier(event)) return;
    event.preventDefault();
    this.#rows.move(by);
  }
}

function troubleText({ status, message }) {
  if (status === 422 || status === 400) return "This address asks for what there isn't; looking again";
  return status === 0 ? "The pod doesn't answer; trying again" : `${message} Trying again`;
}

function currentQuery() {
  const query = new URLSearchParams(location.search);
  const [status, graph, cursor] = ["status", "graph", "cursor"].map((name) => query.get(name) ?? "");
  return { status, graph, cursor };
}

function hasModifier({ metaKey, ctrlKey, altKey }) {
  return metaKey || ctrlKey || altKey;
}

function href(query) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return search ? `/?${search}` : "/";
}

/** What to do first; `graph` is one that could be run, if there is any. */
function noTask(graph) {
  const body = graph && { graph: graph.name, input: exampleOf(graph.input_schema) };
  const line = body && el("pre", { class: "list-curl", tabindex: "0", "aria-label": "Command" });
  if (line) line.textContent = submitLine(location.origin, body, session.signedIn);
  const none = "No worker has announced a graph yet: start one with taskreel worker.";
  return [
    el("p", { text: "There is no task yet." }),
    el("a", { class: "button", href: "/?new" }, icon("plus"), "Submit one"),
    el("p", { class: "muted", text: line ? "or from a shell:" : none }),
    line,
  ];
}

function noMatch(status, graph) {
  return [el("p", { text: `There is no ${[status, graph].filter(Boolean).join(" ")} task.` }), clearLink()];
}

function clearLink() {
  return el("a", { class: "button list-clear", href: "/", text: "Clear the filters" });
}

function noOlder() {
  return [el("p", { text: "There is nothing older." })];
}
