/** The dialog that asks for a credential. */

import { identify } from "../lib/api.js";
import { el, set } from "../lib/dom.js";
import { session } from "./session.js";

const PLAIN = /^[!-~]+$/;
const FIRST = "This pod wants to know who you are.";
const AGAIN = "The credential has ended or was revoked. With another one the page goes on where it is.";

/**
 * The dialog. It opens when a credential is needed.
 * @returns {{element: HTMLElement, open: () => void}}
 */
export function signInDialog() {
  const dialog = new SignIn();
  session.watch(() => dialog.follow());
  return { element: dialog.element, open: () => dialog.open() };
}

class SignIn {
  #words = el("p", { id: "sign-in-words" });
  #input;
  #trouble = el("p", { class: "notice tone-failed", role: "alert", hidden: true, id: "sign-in-trouble" });
  #button = el("button", { type: "submit", class: "primary", text: "Sign in" });

  constructor() {
    const told = { "aria-describedby": "sign-in-trouble sign-in-help", autocomplete: "off", spellcheck: "false" };
    this.#input = el("input", { type: "password", id: "sign-in-credential", ...told });
    const later = el("button", { type: "button", text: "Later", on: { click: () => this.element.close() } });
    const form = el("form", { method: "dialog", novalidate: true, class: "sign-in-form" });
    form.append(
      el("h2", { id: "sign-in-title", text: "Sign in" }),
      this.#words,
      el("label", { for: "sign-in-credential", text: "API key or token" }),
      this.#input,
      this.#trouble,
      help(),
      el("div", { class: "sign-in-choice" }, later, this.#button),
    );
    form.addEventListener("submit", (event) => this.#submit(event));
    const named = { "aria-labelledby": "sign-in-title", "aria-describedby": "sign-in-words" };
    this.element = el("dialog", { class: "sign-in", ...named }, form);
    this.element.addEventListener("close", () => this.#clear());
  }

  /** Open it, or close it, as there is need. */
  follow() {
    if (session.needed) this.open();
    else if (this.element.open) this.element.close();
  }

  /** Ask. */
  open() {
    if (this.element.open) return;
    this.#words.textContent = session.who ? AGAIN : FIRST;
    this.element.showModal();
    this.#input.focus();
  }

  async #submit(event) {
    event.preventDefault();
    const credential = this.#input.value.trim();
    set(this.#trouble, { hidden: true });
    if (!PLAIN.test(credential)) return this.#say("Put in a key or a token: plain characters, without a space.");
    this.#button.disabled = true;
    try {
      session.signIn(credential, await identify(credential));
    } catch (problem) {
      const wrong = problem.code === "unauthenticated";
      this.#say(wrong ? "No such credential: it is mistyped, has ended, or was revoked." : problem.message);
    } finally {
      this.#button.disabled = false;
    }
  }

  #say(text) {
    set(this.#trouble, { hidden: false, text });
    set(this.#input, { "aria-invalid": "true" });
    this.#input.focus();
  }

  #clear() {
    this.#input.value = "";
    set(this.#input, { "aria-invalid": null });
    set(this.#trouble, { hidden: true });
  }
}

function help() {
  const command = el("code", { text: "taskreel keys new --tenant T --name N --role submit" });
  const where = el("p", {}, "Whoever runs Taskreel makes keys: ", command);
  const kept = el("p", { text: "It is kept in this tab, and gone when the tab is closed or you sign out." });
  return el("div", { class: "sign-in-help muted", id: "sign-in-help" }, where, kept);
}
