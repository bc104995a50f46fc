/** What a question can be answered with: the fields of a schema, one of some options, or anything. */

import { schemaForm } from "../form/form.js";
import { el, set } from "../lib/dom.js";

/**
 * @typedef {object} AnswerControl
 * @property {HTMLElement} element what goes into the page's `<form>`
 * @property {() => {value: unknown} | null} read what was answered; null if it can't be sent as it is, which
 *   is said beside it then
 */

/**
 * The control for a question.
 * @param {unknown} question what the graph gave to `interrupt()`
 * @param {(value: unknown) => void} send answers at once, without a look at the rest
 * @returns {AnswerControl}
 */
export function answerControl(question, send) {
  const { schema, options } = question !== null && typeof question === "object" ? question : {};
  if (schema !== null && typeof schema === "object" && !Array.isArray(schema)) return schemaAnswer(schema);
  if (Array.isArray(options) && options.length && options.every(isScalar))
    return optionsAnswer(options, send);
  return freeAnswer();
}

function schemaAnswer(schema) {
  const form = schemaForm(schema, undefined);
  const read = () => {
    if (!form.check()) return null;
    const value = form.value;
    const failures = missingFrom(value, schema.required);
    form.showErrors(failures);
    return failures.length ? null : { value };
  };
  return { element: el("div", { class: "answer" }, form.element, sendButton()), read };
}

/** What has to be there and isn't, told as a pod tells it. */
function missingFrom(value, required) {
  const names = Array.isArray(required) ? required.filter((name) => value?.[name] === undefined) : [];
  if (names.length) return [{ path: "", rule: "required", expected: names }];
  return value === undefined ? [{ path: "", message: "This is needed." }] : [];
}

function optionsAnswer(options, send) {
  const buttons = options.map((option) => {
    const label = typeof option === "string" ? option : JSON.stringify(option);
    return el("button", { type: "button", on: { click: () => send(option) } }, el("bdi", { text: label }));
  });
  const element = el(
    "div",
    { class: "answer answer-options", role: "group", "aria-label": "Answers" },
    ...buttons,
  );
  return { element, read: () => null };
}

const HELP = {
  Text: "The graph gets what you type as one string.",
  JSON: "The graph gets the value that this JSON tells.",
};
let made = 0;

function freeAnswer() {
  const id = `answer-${(made += 1)}`;
  const help = el("p", { class: "answer-help muted", id: `${id}-help`, text: HELP.Text });
  const box = el("textarea", { "aria-label": "Answer", rows: 3, "aria-describedby": `${id}-help` });
  const choice = kindChoice(id);
  const clear = () => tell(box, help, HELP[choice.kind], false);
  for (const node of [box, choice.element]) node.addEventListener("input", clear);
  const foot = el("div", { class: "answer-foot" }, choice.element, sendButton());
  const read = () => (choice.kind === "JSON" ? readJson(box, help) : { value: box.value });
  return { element: el("div", { class: "answer" }, box, help, foot), read };
}

function kindChoice(name) {
  const radios = Object.keys(HELP).map((value) =>
    el("input", { type: "radio", name, value, checked: value === "Text" }),
  );
  const labels = radios.map((radio) =>
    el("label", { class: "answer-kind" }, radio, radio.value === "JSON" ? "As JSON" : "As text"),
  );
  const props = { class: "answer-kinds", role: "radiogroup", "aria-label": "Send the answer as" };
  return {
    element: el("div", props, ...labels),
    get kind() {
      return radios.find((radio) => radio.checked).value;
    },
  };
}

function readJson(box, help) {
  try {
    return { value: JSON.parse(box.value) };
  } catch {
    tell(
      box,
      help,
      'This is no JSON. Expected is a value such as "yes", 12, true or {"approve": true}.',
      true,
    );
    box.focus();
    return null;
  }
}

function tell(box, help, text, wrong) {
  help.textContent = text;
  help.classList.toggle("answer-wrong", wrong);
  set(box, { "aria-invalid": wrong && "true" });
}

function sendButton() {
  return el("button", { type: "submit", class: "primary" }, "Send the answer");
}

function isScalar(value) {
  return value === null || typeof value !== "object";
}
