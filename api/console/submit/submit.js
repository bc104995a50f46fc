/** The page that submits a task: a graph is chosen, its form filled in, its drawing looked at. */

import { drawingView } from "../graph/drawing.js";
import { ask } from "../lib/api.js";
import { el, set } from "../lib/dom.js";
import { poll } from "../lib/poll.js";
import { Submission } from "./submission.js";

const EVERY_MS = 3000;
const NO_GRAPH = "No worker has announced a graph yet: start one with taskreel worker. Looking again…";

/** Fill the page; `?graph=` names the graph to begin with, `?like=` a task whose input is taken over. */
export async function mount(root, { query, signal, go }) {
  document.title = "New task · Taskreel";
  const [wanted, like] = [query.get("graph") ?? "", query.get("like") ?? ""];
  const page = new SubmitPage({ signal, go, wanted, like });
  root.append(page.element);
  page.open();
}

class SubmitPage {
  #context;
  #graphs = [];
  #form = null;
  #draft = null;

  constructor(context) {
    this.#context = context;
    this.notice = el("p", { class: "notice", role: "status" }, "Asking which graphs there are…");
    this.choices = el("div", { class: "submit-choices" });
    const legend = el("legend", { text: "Graph" });
    this.graphs = el("fieldset", { class: "submit-graphs", hidden: true }, legend, this.choices);
    this.place = el("div", { class: "submit-form-place" });
    this.drawing = el("div", { class: "body" });
    this.aside = el("section", { class: "panel submit-drawing", "aria-label": "Graph", hidden: true });
    this.aside.append(el("header", {}, el("h2", { text: "How it runs" })), this.drawing);
    const main = el("div", { class: "submit-main" }, this.place, this.aside);
    const title = el("h1", { text: "New task" });
    this.element = el("div", { class: "submit" }, title, this.notice, this.graphs, main);
  }

  /** Ask for the graphs until there are some. */
  open() {
    const asking = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, asking.signal]);
    const work = async () => {
      await this.#load(signal);
      if (this.#graphs.length) asking.abort();
    };
    const failed = (problem) => this.#say(`${problem.message} Trying again…`);
    poll(work, { every: EVERY_MS, signal, failed });
  }

  async #load(signal) {
    const { graphs } = await ask("GET", "/graphs", { signal });
    if (!graphs.length) return this.#say(NO_GRAPH);
    const { wanted, like } = this.#context;
    const trouble = like && (await this.#loadDraft(like, signal));
    this.#graphs = graphs;
    this.#showGraphs();
    const known = graphs.some(({ name }) => name === wanted);
    this.#choose(known ? wanted : graphs[0].name);
    this.#say(wanted && !known ? `No worker serves the graph ${wanted}; here is another.` : trouble);
  }

  /** Take an earlier task's input over; gives what went wrong, in words. */
  async #loadDraft(taskId, signal) {
    try {
      const path = `/tasks/${encodeURIComponent(taskId)}/events`;
      const { events } = await ask("GET", path, { query: { limit: "1" }, signal });
      const { input, thread_id: thread, metadata } = events[0].data;
      this.#draft = {
        input,
        thread: thread === taskId ? "" : thread,
        metadata: Object.keys(metadata).length ? JSON.stringify(metadata, null, 2) : "",
      };
      return "";
    } catch (problem) {
      return `The input of that task can't be had: ${problem.message}`;
    }
  }

  #say(text) {
    set(this.notice, { hidden: !text, text: text || "" });
  }

  #showGraphs() {
    const cards = this.#graphs.map(({ name, description }, index) => {
      const [title, words] = [`submit-graph-${index}`, `submit-graph-${index}-words`];
      const told = { "aria-labelledby": title, "aria-describedby": words };
      const radio = el("input", { type: "radio", name: "submit-graph", value: name, ...told });
      radio.addEventListener("change", () => this.#choose(name));
      return el(
        "label",
        { class: "submit-choice" },
        radio,
        el("bdi", { class: "submit-name", id: title, text: name }),
        el("span", { class: "submit-description", id: words, text: description }),
      );
    });
    this.choices.replaceChildren(...cards);
    set(this.graphs, { hidden: false });
  }

  #choose(name) {
    const graph = this.#graphs.find((one) => one.name === name);
    const { signal, go } = this.#context;
    this.#form?.close();
    this.#form = new Submission(graph, { signal, go, draft: this.#draft ?? undefined });
    this.#draft = null;
    this.place.replaceChildren(this.#form.element);
    this.drawing.replaceChildren(drawingView(graph).element);
    set(this.aside, { hidden: false });
    const radio = [...this.choices.querySelectorAll("input")].find(({ value }) => value === name);
    radio.checked = true;
    radio.parentNode.scrollIntoView({ block: "nearest" });
    history.replaceState(history.state, "", `/?new&graph=${encodeURIComponent(name)}`);
  }
}
