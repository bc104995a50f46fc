/** A value that is edited in a form or as JSON, whichever its reader likes; both hold the same. */

import { jsonFault } from "../form/fields.js";
import { schemaForm } from "../form/form.js";
import { failureText } from "../form/rules.js";
import { el, icon, set } from "../lib/dom.js";

/** @typedef {"form" | "json"} Way */

/** A value by a schema, with a choice of two ways to edit it. */
export class InputEditor {
  /** @type {(() => void) | null} called whenever somebody has changed something */
  onChange = null;
  #form;
  #way = "form";

  /**
   * @param {unknown} schema
   * @param {unknown} value undefined: none
   */
  constructor(schema, value) {
    this.#form = schemaForm(schema, value);
    this.#form.onChange = () => this.onChange?.();
    const looks = { class: "mono form-json", spellcheck: "false", autocomplete: "off" };
    this.box = el("textarea", { ...looks, "aria-label": "Input as JSON" });
    this.fault = el("p", { class: "form-error", id: "input-fault", hidden: true });
    set(this.box, { "aria-describedby": this.fault.id, on: { input: () => this.#typed() } });
    this.form = this.#form.element;
    this.json = el("div", { class: "form-field", hidden: true }, this.box, this.fault);
    this.element = el("div", { class: "submit-editor" }, this.form, this.json);
    this.toggle = this.#makeToggle();
    if (!this.#form.expressive) this.#show("json");
  }

  /** How it's edited. */
  get way() {
    return this.#way;
  }

  /** The value; undefined if there's none. Ask `check` first. */
  get value() {
    if (this.#way === "form") return this.#form.value;
    const text = this.box.value.trim();
    return text === "" || jsonFault(text) ? undefined : JSON.parse(text);
  }

  /** What is typed as JSON, though it may be none yet. */
  get text() {
    return this.box.value;
  }

  /** Edit it as this text of JSON. */
  restore(text) {
    this.#show("json");
    this.box.value = text;
  }

  /** Whether it can be read as it stands; if not, it's said where. */
  check() {
    if (this.#way === "form") return this.#form.check();
    const fault = this.box.value.trim() === "" ? "" : jsonFault(this.box.value);
    this.#say(fault);
    if (fault) this.box.focus();
    return fault === "";
  }

  /** Say what a pod found wrong with it. */
  showErrors(failures) {
    if (this.#way === "form") return this.#form.showErrors(failures);
    this.#say(failures.map((failure) => `${failure.path || "The whole"}: ${failureText(failure)}`).join(" "));
    this.box.focus();
  }

  #typed() {
    this.#say("");
    this.onChange?.();
  }

  #makeToggle() {
    this.radios = ["form", "json"].map((way) => {
      const radio = el("input", { type: "radio", name: "input-way", value: way });
      radio.addEventListener("change", () => this.#turn(way));
      radio.checked = way === this.#way;
      radio.disabled = way === "form" && !this.#form.expressive;
      return radio;
    });
    const labels = ["Form", "JSON"].map((word, index) => el("label", {}, this.radios[index], word));
    const attributes = { class: "submit-toggle", role: "radiogroup", "aria-label": "Edit the input as" };
    return el("div", attributes, ...labels);
  }

  /** Go over to the other way, unless what stands there can't be read. */
  #turn(way) {
    const ready = this.check();
    if (ready) this.#show(way, this.value);
    for (const radio of this.radios) radio.checked = radio.value === this.#way;
    if (ready) this.onChange?.();
  }

  #show(way, value = this.#form.value) {
    this.#way = way;
    if (way === "form") this.#form.value = value;
    else this.box.value = value === undefined ? "" : JSON.stringify(value, null, 2);
    set(this.form, { hidden: way !== "form" });
    set(this.json, { hidden: way !== "json" });
    for (const radio of this.radios ?? []) radio.checked = radio.value === way;
    this.#say("");
  }

  #say(fault) {
    this.fault.replaceChildren(...(fault ? [icon("alert"), el("span", { text: fault })] : []));
    this.fault.hidden = !fault;
    set(this.box, { "aria-invalid": fault !== "" && "true" });
  }
}
