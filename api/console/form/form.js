/** A form made from a JSON Schema. What no field can express is edited as JSON, and nothing is lost. */

import { el } from "../lib/dom.js";
import { ChoiceField, ChoicesField } from "./choices.js";
import { CheckField, JsonField, NumberField, TextField } from "./fields.js";
import { ListField, ObjectField, VariantsField } from "./groups.js";
import { eachMissing, failureText } from "./rules.js";
import { fits, planOf } from "./schema.js";

const KINDS = {
  text: TextField,
  number: NumberField,
  boolean: CheckField,
  choice: ChoiceField,
  choices: ChoicesField,
  list: ListField,
  object: ObjectField,
  variants: VariantsField,
  json: JsonField,
};

/**
 * A form for the values that a schema allows.
 * @param {unknown} schema JSON Schema
 * @param {unknown} [value] to begin with; undefined: none
 * @param {{signal?: AbortSignal}} [options] with the signal it stops telling of changes
 * @returns {SchemaForm}
 */
export function schemaForm(schema, value, options = {}) {
  return new SchemaForm(schema, value, options);
}

/**
 * A form: `element` goes into a page's own `<form>`, with `novalidate`, for the pod has the last word.
 * @property {HTMLElement} element
 * @property {(() => void) | null} onChange called whenever somebody has changed something
 */
class SchemaForm {
  onChange = null;
  #plan;
  #root;

  constructor(schema, value, { signal }) {
    this.#plan = planOf(schema);
    this.element = el("div", { class: "form" });
    this.element.addEventListener("input", () => this.onChange?.(), { signal });
    this.value = value;
  }

  /** What the fields hold; undefined if nothing. What can't be read is left out: ask `check` first. */
  get value() {
    return this.#root.value;
  }

  set value(value) {
    this.#root = makeField({ plan: this.#plan, value, required: true });
    const bare = this.#root instanceof ObjectField;
    this.element.replaceChildren(...(bare ? [this.#root.error, this.#root.control] : [this.#root.element]));
  }

  /** Whether it has fields of its own, and isn't just a place for JSON. */
  get expressive() {
    return !(this.#root instanceof JsonField);
  }

  /** Whether all that was typed can be read; if not, it's said where, and the first field has the focus. */
  check() {
    const unreadable = this.#root.unreadable();
    for (const field of unreadable) field.showError(field.complaint);
    unreadable[0]?.focus();
    return unreadable.length === 0;
  }

  /**
   * Say beside the fields what a pod found wrong, and put the focus on the first of them.
   * @param {import("./rules.js").Failure[]} failures
   */
  showErrors(failures) {
    const found = new Map();
    for (const failure of eachMissing(failures)) {
      const { field, rest } = this.#root.at(failure.path.split("/").slice(1));
      const text = (rest.length ? `${rest.join("/")}: ` : "") + failureText(failure);
      found.set(field, [...(found.get(field) ?? []), text]);
    }
    for (const [field, texts] of found) field.showError(texts.join(" "));
    const first = [...found.keys()].sort(inPageOrder)[0];
    first?.focus();
  }
}

/** A value that doesn't fit its field is edited as JSON. */
function makeField({ plan, value, required }) {
  const kind = fits(plan, value) ? plan.kind : "json";
  const threefold = kind === "boolean" && plan.nullable && { kind: "choice", options: [true, false] };
  const chosen = { ...plan, kind, ...threefold };
  return new KINDS[chosen.kind]({ plan: chosen, value, required }).begin(makeField);
}

function inPageOrder(one, other) {
  return one.element.compareDocumentPosition(other.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
}
