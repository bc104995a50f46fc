/** A button that copies a text, and says that it did. */

import { copyText, el, icon, setText } from "./dom.js";

const SAID_MS = 1800;

/**
 * @param {string} label what the button says, such as `Copy JSON`
 * @param {() => string} text gives what is copied
 * @returns {HTMLElement} the button, with the place where its success is announced
 */
export function copyButton(label, text) {
  const word = el("span", { class: "copy-word", text: label });
  const said = el("span", { class: "offscreen", role: "status" });
  const button = el("button", { type: "button", class: "copy-button" }, icon("copy"), word);
  let timer = 0;
  const say = (answer) => {
    clearTimeout(timer);
    setText(word, answer || label);
    setText(said, answer);
    button.classList.toggle("copy-done", answer !== "");
  };
  button.addEventListener("click", async () => {
    say("");
    say((await copyText(text())) ? "Copied" : "Not copied");
    timer = setTimeout(() => say(""), SAID_MS);
  });
  return el("span", { class: "copy" }, button, said);
}
