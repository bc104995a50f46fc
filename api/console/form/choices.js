/** The fields of a form in which options are chosen. */

import { el } from "../lib/dom.js";
import { changed, Field, groupFrame } from "./fields.js";
import { optionIndex } from "./schema.js";

const FEW_OPTIONS = 5;

/** One of several options, or none if it may be left out; few that must be chosen from are all shown. */
export class ChoiceField extends Field {
  makeControl() {
    const { options } = this.plan;
    const fixed = this.given === undefined && this.required && options.length === 1;
    this.chosen = fixed ? 0 : optionIndex(options, this.given);
    this.radios = this.required && !this.plan.nullable && options.length <= FEW_OPTIONS;
    return this.radios ? this.makeRadios() : this.makeSelect();
  }

  makeRadios() {
    const buttons = this.plan.options.map((option, index) => {
      const radio = el("input", { type: "radio", name: this.id, value: index });
      radio.checked = index === this.chosen;
      return el("label", { class: "form-check" }, radio, el("bdi", { text: optionText(option) }));
    });
    return el("div", { class: "form-options" }, ...buttons);
  }

  makeSelect() {
    const { options, schema } = this.plan;
    const preset = schema.default ?? null;
    const unset = preset === null ? "Not set" : `Not set: ${optionText(preset)}`;
    const none = el("option", { value: -1, text: this.required && !this.plan.nullable ? "Choose…" : unset });
    const select = el("select", this.attributes(), none);
    const others = options.map((option, index) => el("option", { value: index, text: optionText(option) }));
    select.append(...others);
    select.value = this.chosen;
    return select;
  }

  read() {
    const chosen = this.radios ? this.control.querySelector(":checked")?.value : this.control.value;
    const index = Number(chosen ?? -1);
    return index < 0 ? this.empty : this.plan.options[index];
  }

  frame() {
    return this.radios ? groupFrame(this) : super.frame();
  }

  markError(wrong) {
    if (!this.radios) super.markError(wrong);
  }

  focus() {
    if (!this.radios) return super.focus();
    (this.control.querySelector(":checked") ?? this.control.querySelector("input")).focus();
  }
}

/** Several of the options, each at most once. */
export class ChoicesField extends Field {
  makeControl() {
    const { options, schema } = this.plan;
    const on = this.given ?? schema.default ?? [];
    this.boxes = options.map((option) => {
      const box = el("input", { type: "checkbox" });
      box.checked = optionIndex(on, option) >= 0;
      return box;
    });
    const labels = options.map((option, index) => {
      return el("label", { class: "form-check" }, this.boxes[index], el("bdi", { text: optionText(option) }));
    });
    return el("div", { class: "form-options" }, ...labels);
  }

  read() {
    if (!this.touched && !this.required) return undefined;
    return this.plan.options.filter((_, index) => this.boxes[index].checked);
  }

  frame() {
    if (this.boxes.length <= FEW_OPTIONS) return groupFrame(this);
    const buttons = ["All", "None"].map((text) => el("button", { type: "button", class: "plain", text }));
    buttons.forEach((button, index) => button.addEventListener("click", () => this.#tick(index === 0)));
    return groupFrame(this, el("div", { class: "form-tools" }, ...buttons));
  }

  markError() {}

  focus() {
    this.boxes[0].focus();
  }

  #tick(checked) {
    for (const box of this.boxes) box.checked = checked;
    changed(this.element);
  }
}

/** An option as people read it. */
function optionText(option) {
  if (typeof option === "boolean") return option ? "Yes" : "No";
  return typeof option === "string" ? option || "(empty)" : JSON.stringify(option);
}
