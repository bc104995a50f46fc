/** What a task may be given beside its input: a thread and metadata. */

import { jsonFault } from "../form/fields.js";
import { el, icon, set } from "../lib/dom.js";

const THREAD_HELP = "Tasks of one thread see what the earlier ones left. Empty: a thread of its own.";
const METADATA_HELP = "An object of JSON, kept with the task and given back as it is.";
const NO_OBJECT = 'Metadata is an object, such as {"by": "me"}.';

/**
 * The fields for both, folded away until they hold something.
 * @property {HTMLElement} element
 */
export class Extras {
  #thread = el("input", { id: "submit-thread", type: "text", maxlength: 255, autocomplete: "off" });
  #metadata = el("textarea", { id: "submit-metadata", class: "mono form-json", spellcheck: "false" });
  #fault = el("p", { class: "form-error", id: "submit-metadata-error", hidden: true });

  constructor() {
    this.element = el(
      "details",
      { class: "submit-more" },
      el("summary", { text: "Thread and metadata" }),
      field("Thread id", this.#thread, THREAD_HELP),
      field("Metadata", this.#metadata, METADATA_HELP, this.#fault),
    );
    this.#metadata.addEventListener("input", () => this.#say(""));
  }

  /** What is typed: `{thread, metadata}`, two texts. */
  get typed() {
    return { thread: this.#thread.value, metadata: this.#metadata.value };
  }

  set typed({ thread, metadata }) {
    this.#thread.value = thread;
    this.#metadata.value = metadata;
    this.element.open = Boolean(thread || metadata);
    this.#say("");
  }

  /** The members of the request that these are, if they can be read: ask `check` first. */
  get members() {
    const { thread, metadata } = this.typed;
    const readable = metadata.trim() && !faultOf(metadata);
    return { ...(thread && { thread_id: thread }), ...(readable && { metadata: JSON.parse(metadata) }) };
  }

  /** Whether what is typed can be read; if not, it's said where. */
  check() {
    const fault = faultOf(this.#metadata.value);
    this.#say(fault);
    if (fault) this.show("/metadata");
    return fault === "";
  }

  /** Put the focus on the field of a member of the request, if it's one of these. */
  show(path) {
    const control = { "/thread_id": this.#thread, "/metadata": this.#metadata }[path];
    if (!control) return;
    this.element.open = true;
    control.focus();
  }

  #say(fault) {
    this.#fault.replaceChildren(...(fault ? [icon("alert"), el("span", { text: fault })] : []));
    this.#fault.hidden = !fault;
    set(this.#metadata, { "aria-invalid": fault !== "" && "true" });
  }
}

function faultOf(metadata) {
  if (!metadata.trim()) return "";
  return jsonFault(metadata) || (metadata.trim().startsWith("{") ? "" : NO_OBJECT);
}

function field(text, control, words, ...more) {
  const help = el("p", { class: "form-help", id: `${control.id}-help`, text: words });
  set(control, { "aria-describedby": [help, ...more].map(({ id }) => id).join(" ") });
  const label = el("label", { class: "form-label", for: control.id, text });
  return el("div", { class: "form-field" }, label, control, help, ...more);
}
