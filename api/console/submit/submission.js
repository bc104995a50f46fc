/** The form that submits a task of one graph. */

import { session } from "../auth/session.js";
import { exampleOf } from "../form/schema.js";
import { ask } from "../lib/api.js";
import { copyButton } from "../lib/copy.js";
import { submitLine } from "../lib/curl.js";
import { el, icon, set } from "../lib/dom.js";
import { keepDraft, recallDraft } from "./drafts.js";
import { Extras } from "./extras.js";
import { InputEditor } from "./input.js";

const LATER_MS = 150;

/**
 * A form for tasks of one graph.
 * @property {HTMLElement} element
 */
export class Submission {
  #graph;
  #context;
  #extras = new Extras();
  #sent = { text: "", key: "" };
  #sending = false;
  #timer = 0;

  /**
   * @param {any} graph as `GET /graphs/{name}` has it
   * @param {{go: (href: string) => void, signal: AbortSignal, draft?: import("./drafts.js").Draft}} context
   *   `draft`: what to begin with, in place of what was typed here before
   */
  constructor(graph, context) {
    this.#graph = graph;
    this.#context = context;
    this.#make();
    this.#begin(context.draft ?? recallDraft(graph.name) ?? this.#example());
    if (context.draft) this.#changed();
    addEventListener("pagehide", () => this.close(), { signal: context.signal });
    context.signal.addEventListener("abort", () => this.close());
  }

  /** Keep what was typed, for the form goes away. */
  close() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    const { way, text, value } = this.editor;
    keepDraft(this.#graph.name, { ...(way === "json" ? { text } : { input: value }), ...this.#extras.typed });
    this.#showLine();
  }

  #make() {
    this.heading = el("header", {}, el("h2", { text: "Input" }));
    this.place = el("div");
    this.trouble = el("div", { class: "notice tone-failed submit-trouble", role: "alert", hidden: true });
    this.word = el("span", { text: "Submit" });
    this.button = el("button", { type: "submit", class: "primary" }, icon("play"), this.word);
    const reset = el("button", { type: "button", text: "Reset to the example" });
    reset.addEventListener("click", () => this.#reset());
    const actions = el("div", { class: "submit-actions" }, this.button, reset);
    const parts = [this.place, this.#extras.element, this.trouble, ...this.#makeRefusal(), actions, this.#makeCurl()];
    const body = el("div", { class: "body" }, ...parts);
    const attributes = { class: "panel submit-form", novalidate: true, "aria-label": "Input" };
    this.element = el("form", attributes, this.heading, body);
    this.element.addEventListener("submit", (event) => this.#submit(event));
    this.element.addEventListener("input", () => this.#changed());
  }

  #makeRefusal() {
    if (session.mayChange) return [];
    this.button.disabled = true;
    return [el("p", { class: "notice", text: "Your role, read, lets you look at tasks and not submit any." })];
  }

  #makeCurl() {
    this.line = el("pre", { class: "submit-line", tabindex: "0", "aria-label": "The curl command" });
    this.curl = el("details", { class: "submit-more" }, el("summary", { text: "From a shell" }), this.line);
    this.curl.append(copyButton("Copy the command", () => submitLine(location.origin, this.#body(), session.signedIn)));
    this.curl.addEventListener("toggle", () => this.#showLine());
    return this.curl;
  }

  #example() {
    return { input: exampleOf(this.#graph.input_schema), thread: "", metadata: "" };
  }

  #begin({ input, text, thread = "", metadata = "" }) {
    this.editor = new InputEditor(this.#graph.input_schema, input);
    if (text !== undefined) this.editor.restore(text);
    this.editor.onChange = () => this.#changed();
    this.#extras.typed = { thread, metadata };
    this.heading.replaceChildren(this.heading.firstChild, this.editor.toggle);
    this.place.replaceChildren(this.editor.element);
    this.#showLine();
  }

  #reset() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    keepDraft(this.#graph.name, null);
    this.#begin(this.#example());
    set(this.trouble, { hidden: true });
  }

  #changed() {
    set(this.trouble, { hidden: true });
    this.#timer ||= setTimeout(() => this.close(), LATER_MS);
  }

  #showLine() {
    if (this.curl.open) this.line.textContent = submitLine(location.origin, this.#body(), session.signedIn);
  }

  #body() {
    return { graph: this.#graph.name, input: this.editor.value, ...this.#extras.members };
  }

  async #submit(event) {
    event.preventDefault();
    set(this.trouble, { hidden: true });
    if (this.#sending || !this.editor.check() || !this.#extras.check()) return;
    const { go, signal } = this.#context;
    this.#setSending(true);
    try {
      const { task_id: taskId } = await this.#send(this.#body());
      if (!signal.aborted) go(`/?task=${taskId}`);
    } catch (problem) {
      if (!signal.aborted) this.#refused(problem);
    } finally {
      this.#setSending(false);
    }
  }

  /** The same request has the same key: a second try after a lost answer makes no second task. */
  #send(body) {
    const text = JSON.stringify(body);
    if (text !== this.#sent.text) this.#sent = { text, key: newKey() };
    return ask("POST", "/tasks", { body, headers: { "Idempotency-Key": this.#sent.key } });
  }

  #setSending(sending) {
    this.#sending = sending;
    set(this.button, { "aria-disabled": sending && "true" });
    this.word.textContent = sending ? "Submitting…" : "Submit";
  }

  #refused(problem) {
    const more = MORE[problem.status === 0 ? "unreachable" : problem.code]?.(problem) ?? "";
    this.trouble.replaceChildren(el("p", {}, icon("alert"), el("span", {}, `${problem.message} `, more)));
    set(this.trouble, { hidden: false });
    if (problem.code === "invalid_input") this.editor.showErrors(problem.errors ?? []);
    else problem.errors?.forEach(({ path }) => this.#extras.show(path));
  }
}

/** What to do about a refusal that its own text doesn't say. */
const MORE = {
  unreachable: () =>
    "What you typed stays here; submitting it again makes one task, even if the first try came through.",
  thread_busy: ({ document: { task = "" } }) => {
    const href = `/?task=${encodeURIComponent(task.split("/").at(-1))}`;
    return el("a", { href, text: "Look at the task that is unfinished" });
  },
};

/** A key that nobody else has; `crypto.randomUUID` is only there under HTTPS. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
