/** Values for people: text as text, an object as its members, and JSON where nothing else is true to it. */

import { el } from "./dom.js";
import { GrowingText } from "./growing.js";
import { jsonView } from "./json.js";

const MOST_MEMBERS = 200; // beyond which an object is shown as JSON
const SHORT = 60; // characters that fit beside a name

/**
 * A value as people read it.
 * @param {unknown} value
 * @param {string} label what assistive technology calls it
 * @returns {HTMLElement}
 */
export function valueView(value, label) {
  if (typeof value === "string") return textView(value);
  if (value === null || typeof value !== "object")
    return el("code", { class: "value-word", text: String(value) });
  const members = Array.isArray(value) ? [] : Object.entries(value);
  return members.length && members.length <= MOST_MEMBERS ? membersView(members) : jsonView(value, label);
}

/**
 * The members of an object, each with its name.
 * @param {[string, unknown][]} members
 * @returns {HTMLElement}
 */
export function membersView(members) {
  const list = el("dl", { class: "value-members" });
  for (const [name, value] of members) {
    const isNested = value !== null && typeof value === "object";
    const shown = isNested ? jsonView(value, name) : valueView(value, name);
    const row = el(
      "div",
      { class: isShort(value) && "value-short" },
      el("dt", {}, el("bdi", { text: name })),
    );
    row.append(el("dd", {}, shown));
    list.append(row);
  }
  return list;
}

function isShort(value) {
  return typeof value === "string"
    ? value.length <= SHORT && !value.includes("\n")
    : typeof value !== "object" || value === null;
}

function textView(text) {
  if (!text) return el("span", { class: "muted", text: "(empty)" });
  const view = new GrowingText({ class: "value-text" });
  view.set(text);
  return view.element;
}
