/** JSON to read: indented and coloured, with what is very long cut until somebody asks for it. */

import { el } from "./dom.js";
import { count } from "./format.js";

const MOST_LINES = 2000;
const LONGEST_LINE = 2000; // characters
const BLOCK = 1000; // lines of an element each, of which a browser lays out only those in sight

const LINE = /^(\s*)("(?:[^"\\]|\\.)*"(?=: ))?(: )?(.*)$/s;

/**
 * A JSON value.
 * @param {unknown} value
 * @param {string} label what assistive technology calls it
 * @returns {HTMLElement}
 */
export function jsonView(value, label) {
  const lines = (JSON.stringify(value, null, 2) ?? "").split("\n");
  const box = el("pre", { class: "json", tabindex: 0, role: "region", "aria-label": label });
  for (const line of lines.slice(0, MOST_LINES)) box.append(...lineNodes(line), "\n");
  if (lines.length > MOST_LINES) box.append(rest(lines));
  return box;
}

/** The lines after those that are shown at first: without colours, for there may be a hundred thousand. */
function rest(lines) {
  const left = lines.slice(MOST_LINES);
  return moreButton(`Show ${count(left.length, "more line")}`, () => {
    const blocks = [];
    for (let start = 0; start < left.length; start += BLOCK) {
      blocks.push(
        el("div", { class: "json-block", text: `${left.slice(start, start + BLOCK).join("\n")}\n` }),
      );
    }
    return blocks;
  });
}

function lineNodes(line) {
  const [, indent, key, colon, value] = LINE.exec(line.slice(0, LONGEST_LINE));
  const nodes = [indent];
  if (key) nodes.push(el("span", { class: "json-key", text: key }), colon ?? "");
  nodes.push(...valueNodes((key ? "" : (colon ?? "")) + value));
  if (line.length > LONGEST_LINE) nodes.push(restOfLine(line));
  return nodes;
}

function valueNodes(text) {
  const kind = text.startsWith('"')
    ? "string"
    : /^[-0-9]/.test(text)
      ? "number"
      : /^[tfn]/.test(text)
        ? "word"
        : "";
  if (!kind) return [text];
  const comma = text.endsWith(",") ? "," : "";
  return [el("span", { class: `json-${kind}`, text: text.slice(0, text.length - comma.length) }), comma];
}

function restOfLine(line) {
  const left = line.slice(LONGEST_LINE);
  return moreButton(`Show ${count(left.length, "more character")}`, () => [
    el("span", { class: "json-string", text: left }),
  ]);
}

/** A button that puts nodes in its own place. */
function moreButton(label, make) {
  const button = el("button", { type: "button", class: "json-more" }, label);
  button.addEventListener("click", () => {
    const box = button.closest(".json");
    button.replaceWith(...make());
    box.focus({ preventScroll: true });
  });
  return button;
}
