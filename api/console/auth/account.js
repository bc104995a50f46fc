/** Who is signed in, at the top of the page. */

import { el, icon, set } from "../lib/dom.js";
import { session } from "./session.js";

const ROLES = { submit: "submit: your own tasks", read: "read: looks at all tasks", ops: "ops: all tasks" };

/**
 * Show it in that place: nothing where no pod asks, else a name, or a button to sign in with.
 * @param {HTMLElement} place
 * @param {{signIn: () => void}} actions
 */
export function account(place, { signIn }) {
  const show = () => {
    const shown = session.needed ? [signInButton(signIn)] : session.who ? signedIn(session.who) : [];
    place.replaceChildren(...shown);
    set(place, { hidden: !shown.length });
  };
  session.watch(show);
  show();
}

function signInButton(signIn) {
  return el("button", { type: "button", class: "primary", on: { click: signIn } }, "Sign in");
}

function signedIn(who) {
  const out = el("button", { type: "button", text: "Sign out", on: { click: () => session.signOut() } });
  const panel = el(
    "div",
    { class: "panel account-panel", popover: "auto", role: "dialog", "aria-label": "Account" },
    el("dl", { class: "account-facts" }, ...facts(who)),
    out,
  );
  const name = el("bdi", { class: "account-name", text: who.subject });
  const label = `Signed in as ${who.subject}`;
  const button = el("button", { type: "button", class: "plain account", "aria-label": label }, icon("person"), name);
  button.popoverTargetElement = panel;
  return [button, panel];
}

function facts({ subject, tenant, role, expires_at: end }) {
  const ends = end ? new Date(end).toLocaleString() : "never";
  const told = [["Name", subject], ["Tenant", tenant], ["Role", ROLES[role] ?? role], ["Ends", ends]];
  return told.map(([term, text]) => el("div", {}, el("dt", { text: term }), el("dd", {}, el("bdi", { text }))));
}
