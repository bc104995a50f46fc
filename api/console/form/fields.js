/** The fields of a form that hold one value: a label, a control, help, and what is wrong with it. */

import { el, icon, set } from "../lib/dom.js";
import { limitsText } from "./rules.js";
import { isLong } from "./schema.js";

/**
 * @typedef {object} Given how a field is begun
 * @property {import("./schema.js").Plan} plan
 * @property {unknown} value undefined: none
 * @property {boolean} required whether it may not be absent
 */

let made = 0;

/** An id that nothing else in the page has. */
export function newId() {
  return `field-${(made += 1)}`;
}

/** What all fields share. A value that nobody touches is given back as it came, whatever is shown. */
export class Field {
  touched = false;
  id = newId();

  /** @param {Given} given */
  constructor({ plan, value, required }) {
    Object.assign(this, { plan, given: value, required });
    this.error = el("p", { class: "form-error", id: `${this.id}-error`, hidden: true });
    const limits = limitsText(plan.schema);
    const words = plan.description ? [plan.description, limits].filter(Boolean).join(" · ") : capital(limits);
    this.help = el("p", { class: "form-help", id: `${this.id}-help`, text: words, hidden: !words });
    this.control = this.makeControl();
    this.element = this.frame();
    this.element.addEventListener("input", () => this.wasTouched());
  }

  /** Make the fields that it consists of, if it does; `make` makes one. Gives itself. */
  begin(_make) {
    return this;
  }

  /** Its value; undefined when it is to be left out. */
  get value() {
    return this.touched || this.given === undefined ? this.read() : this.given;
  }

  /** What stands for an empty control: null where it may not be left out. */
  get empty() {
    return this.required && this.plan.nullable ? null : undefined;
  }

  /** What is wrong with what was typed, in words; empty if nothing. */
  get complaint() {
    return "";
  }

  /** The field that a path leads to, with what's left of the path. */
  at(parts) {
    return { field: this, rest: parts };
  }

  /** Each field that can't be read as it stands. */
  unreadable() {
    return this.complaint ? [this] : [];
  }

  /** Say what is wrong; an empty text takes it back. */
  showError(text) {
    this.error.replaceChildren(...(text ? [icon("alert"), text] : []));
    this.error.hidden = !text;
    this.markError(text !== "");
  }

  markError(wrong) {
    set(this.control, { "aria-invalid": wrong && "true" });
  }

  /** Put the cursor there. */
  focus() {
    this.control.focus();
  }

  wasTouched() {
    this.touched = true;
    this.showError("");
  }

  describedBy() {
    return `${this.help.id} ${this.error.id}`;
  }

  frame() {
    const label = el("label", { class: "form-label", for: this.id }, ...this.title());
    return el("div", { class: "form-field" }, label, this.control, this.help, this.error);
  }

  title() {
    const mark = this.required && el("span", { class: "form-required", "aria-hidden": "true", text: "*" });
    return [el("bdi", { text: this.plan.title || "Value" }), mark].filter(Boolean);
  }

  attributes(more = {}) {
    return { id: this.id, required: this.required, "aria-describedby": this.describedBy(), ...more };
  }
}

/** A text, in one line or several. */
export class TextField extends Field {
  makeControl() {
    const { schema } = this.plan;
    const long = isLong(schema, this.given);
    const placeholder = typeof schema.default === "string" ? schema.default.slice(0, 200) : null;
    const shape = long ? { rows: 3 } : { type: "text", spellcheck: "false" };
    const attributes = this.attributes({ placeholder, autocomplete: "off", ...shape });
    const control = el(long ? "textarea" : "input", attributes);
    control.value = this.given ?? "";
    return control;
  }

  read() {
    return this.control.value === "" ? this.empty : this.control.value;
  }
}

/** A number as it's typed; empty is absent. */
export class NumberField extends Field {
  makeControl() {
    const { schema } = this.plan;
    const limits = {
      min: schema.minimum ?? schema.exclusiveMinimum,
      max: schema.maximum ?? schema.exclusiveMaximum,
      step: schema.multipleOf ?? (schema.type === "integer" ? 1 : "any"),
    };
    const placeholder = typeof schema.default === "number" ? schema.default : null;
    const attributes = this.attributes({ type: "number", placeholder, ...limits });
    const control = el("input", { ...attributes, class: "form-number", inputmode: "decimal" });
    control.value = this.given ?? "";
    return control;
  }

  read() {
    return this.control.value === "" ? this.empty : Number(this.control.value);
  }

  get complaint() {
    if (!this.touched) return "";
    if (this.control.validity.badInput) return "Give a number, such as 12 or 0.5.";
    if (this.plan.schema.type !== "integer" || this.control.value === "") return "";
    const value = this.read();
    if (!Number.isInteger(value)) return "Give a whole number.";
    return Number.isSafeInteger(value) ? "" : "So long a number isn't held exactly; use less than 17 digits.";
  }
}

/** Yes or no, as a box to tick. */
export class CheckField extends Field {
  makeControl() {
    const control = el("input", this.attributes({ type: "checkbox", required: false }));
    control.checked = this.given ?? this.plan.schema.default === true;
    return control;
  }

  read() {
    return this.touched || this.required ? this.control.checked : undefined;
  }

  frame() {
    const label = el("label", { class: "form-check" }, this.control, ...this.title());
    return el("div", { class: "form-field" }, label, this.help, this.error);
  }
}

/** Any value, written as JSON. */
export class JsonField extends Field {
  makeControl() {
    const looks = { class: "mono form-json", placeholder: "JSON", spellcheck: "false", autocomplete: "off" };
    const control = el("textarea", this.attributes(looks));
    control.value = this.given === undefined ? "" : JSON.stringify(this.given, null, 2);
    control.rows = Math.min(Math.max(control.value.split("\n").length, 2), 16);
    return control;
  }

  read() {
    if (this.control.value.trim() === "") return this.empty;
    try {
      return JSON.parse(this.control.value);
    } catch {
      return undefined;
    }
  }

  get complaint() {
    if (this.control.value.trim() === "") return "";
    return jsonFault(this.control.value);
  }
}

/** What is wrong with a text as JSON, in words; empty if nothing. */
export function jsonFault(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `This is no JSON: ${error.message}`;
  }
}

/** A fieldset around controls that have labels of their own. */
export function groupFrame(field, ...more) {
  const needed = field.required && el("span", { class: "offscreen", text: "(required)" });
  const legend = el("legend", { class: "form-label" }, ...field.title(), needed);
  const attributes = { class: "form-field form-group", "aria-describedby": field.describedBy() };
  return el("fieldset", attributes, legend, field.help, field.control, ...more, field.error);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Tell the form, as a control does, that its value is another. */
export function changed(element) {
  element.dispatchEvent(new Event("input", { bubbles: true }));
}
