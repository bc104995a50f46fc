/** The fields of a form that consist of others. */

import { el, icon, setText } from "../lib/dom.js";
import { changed, Field, groupFrame } from "./fields.js";
import { fits, isObject } from "./schema.js";

/** A field that is made of others. */
class Composite extends Field {
  /** @returns {Field[]} */
  get children() {
    return [];
  }

  unreadable() {
    return this.children.flatMap((child) => child.unreadable());
  }

  markError() {}

  focus() {
    this.element.querySelector("input, select, textarea, button")?.focus();
  }
}

/** An object: a field for each member that is planned, and one of JSON for what else it has. */
export class ObjectField extends Composite {
  makeControl() {
    return el("div", { class: "form-members" });
  }

  begin(make) {
    const given = isObject(this.given) ? this.given : {};
    const { fields } = this.plan;
    this.members = fields.map(({ name, plan, required }) => {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      return [name, make({ plan, value, required })];
    });
    const others = Object.entries(given).filter(([name]) => !fields.some((field) => field.name === name));
    if (others.length) this.others = make(otherMembers(Object.fromEntries(others)));
    this.control.replaceChildren(...this.children.map((child) => child.element));
    return this;
  }

  get children() {
    return [...this.members.map(([, member]) => member), this.others].filter(Boolean);
  }

  /** It is there as a whole or, if it may be left out, not at all. */
  read() {
    if (this.isSet && !this.isSet.checked) return this.given === null ? null : this.empty;
    const members = this.members.map(([name, member]) => [name, member.value]);
    const value = Object.fromEntries(members.filter(([, member]) => member !== undefined));
    return isObject(this.others?.value) ? { ...value, ...this.others.value } : value;
  }

  get value() {
    return !this.touched && this.isSet && this.given !== undefined ? this.given : this.read();
  }

  at(parts) {
    const member = this.members.find(([name]) => name === parts[0]);
    return member ? member[1].at(parts.slice(1)) : { field: this, rest: parts };
  }

  unreadable() {
    return this.isSet && !this.isSet.checked ? [] : super.unreadable();
  }

  frame() {
    if (this.required && !this.plan.nullable) return groupFrame(this);
    this.isSet = el("input", { type: "checkbox" });
    this.isSet.checked = isObject(this.given);
    return groupFrame(this);
  }

  title() {
    if (!this.isSet) return super.title();
    return [el("label", { class: "form-check" }, this.isSet, ...super.title())];
  }
}

function otherMembers(value) {
  const plan = { kind: "json", title: "Other members", description: "", nullable: false, schema: {} };
  return { plan, value, required: false };
}

/** A list, whose items can be added and taken away. */
export class ListField extends Composite {
  makeControl() {
    this.rows = [];
    this.items = el("div", { class: "form-items" });
    this.adder = el("button", { type: "button", on: { click: () => this.#add() } }, icon("plus"), "Add");
    return el("div", { class: "form-list" }, this.items, this.adder);
  }

  begin(make) {
    this.make = make;
    for (const value of this.given ?? []) this.#append(value);
    return this;
  }

  get children() {
    return this.rows.map((row) => row.field);
  }

  /** An item can't be absent: an empty one is an empty text, or null. */
  read() {
    const none = this.given === undefined || this.given === null;
    if (!this.rows.length && !this.required && none) return this.given;
    const empty = this.plan.item.kind === "text" ? "" : null;
    return this.children.map((child) => child.value ?? empty);
  }

  at(parts) {
    const row = this.rows[Number(parts[0])];
    return row && parts.length ? row.field.at(parts.slice(1)) : { field: this, rest: parts };
  }

  frame() {
    return groupFrame(this);
  }

  #append(value) {
    const field = this.make({ plan: this.plan.item, value, required: true });
    const remove = el("button", { type: "button", class: "plain form-remove" }, icon("cross"));
    const row = { field, remove, element: el("div", { class: "form-item" }, field.element, remove) };
    remove.addEventListener("click", () => this.#remove(row));
    this.rows.push(row);
    this.items.append(row.element);
    this.#number();
    return row;
  }

  #add() {
    this.#append(undefined).field.focus();
    changed(this.element);
  }

  #remove(row) {
    const index = this.rows.indexOf(row);
    this.rows.splice(index, 1);
    row.element.remove();
    this.#number();
    (this.rows[index]?.remove ?? this.adder).focus();
    changed(this.element);
  }

  #number() {
    const noun = this.plan.item.title || "Item";
    this.rows.forEach(({ field, remove }, index) => {
      setText(field.element.querySelector("legend bdi, label bdi"), `${noun} ${index + 1}`);
      remove.setAttribute("aria-label", `Remove ${noun} ${index + 1} of ${this.plan.title || "the list"}`);
    });
  }
}

/** A value of one of several kinds: the kind is chosen first. */
export class VariantsField extends Composite {
  makeControl() {
    const label = `Kind of ${this.plan.title || "value"}`;
    this.select = el("select", { class: "form-kind", "aria-label": label });
    this.select.addEventListener("input", () => this.#choose());
    this.body = el("div");
    return el("div", { class: "form-variants" }, this.select, this.body);
  }

  begin(make) {
    this.make = make;
    this.made = new Map();
    const { variants, nullable } = this.plan;
    const unset = !this.required || nullable;
    if (unset) this.select.append(el("option", { value: -1, text: "Not set" }));
    this.select.append(...variants.map(({ title }, index) => el("option", { value: index, text: title })));
    const given = this.given ?? undefined;
    const fitting = variants.findIndex((variant) => fits(variant, given));
    this.#show(given === undefined && unset ? -1 : fitting, given);
    this.select.value = this.index;
    return this;
  }

  get children() {
    return this.index < 0 ? [] : [this.made.get(this.index)];
  }

  read() {
    return this.index < 0 ? this.empty : this.children[0].value;
  }

  at(parts) {
    return this.index < 0 ? { field: this, rest: parts } : this.children[0].at(parts);
  }

  frame() {
    return groupFrame(this);
  }

  #choose() {
    this.#show(Number(this.select.value), undefined);
  }

  #show(index, value) {
    this.index = index;
    if (index >= 0 && !this.made.has(index)) {
      this.made.set(index, this.make({ plan: this.plan.variants[index], value, required: true }));
    }
    this.body.replaceChildren(...this.children.map((child) => child.element));
  }
}
