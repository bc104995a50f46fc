/** The console: reads the location, and mounts the page it names. */

import { account } from "./auth/account.js";
import { signInDialog } from "./auth/dialog.js";
import { session } from "./auth/session.js";
import { identify } from "./lib/api.js";
import { el, set } from "./lib/dom.js";
import * as list from "./list/list.js";
import * as submit from "./submit/submit.js";
import * as task from "./task/task.js";
import { theme } from "./theme.js";

const PAGES = { list, submit, task };

const root = document.getElementById("page");
let leaving = new AbortController();
let shown = null;

/** Go to one of the console's pages; `href` is relative to it, such as `/?task=…`. */
function go(href, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href);
  show({ focus: true });
}

async function show({ focus }) {
  const query = new URLSearchParams(location.search);
  const name = query.has("task") ? "task" : query.has("new") ? "submit" : "list";
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  shown = location.search;
  for (const link of document.querySelectorAll("nav [data-page]")) {
    set(link, { "aria-current": link.dataset.page === name && "page" });
  }
  root.replaceChildren();
  if (focus) {
    scrollTo(0, 0);
    root.focus({ preventScroll: true });
  }
  try {
    await PAGES[name].mount(root, { query, signal, go });
  } catch (error) {
    if (signal.aborted) return;
    console.error(error);
    root.append(el("p", { class: "notice tone-failed", role: "alert", text: `This page failed: ${error.message}` }));
  }
}

function isOurs(link) {
  return link.origin === location.origin && link.pathname === "/" && !link.target && !link.hasAttribute("download");
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (event.defaultPrevented || !link || !plain || !isOurs(link) || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  if (link.search === location.search && link.hash === location.hash) return;
  go(link.search || link.hash ? `/${link.search}${link.hash}` : "/");
});

addEventListener("popstate", () => {
  if (location.search !== shown) show({ focus: false }); // else only the moment has changed, which the page hears of
});

/** Make sure of a credential that was kept: it may have ended, or nobody asks for one any more. */
async function recognize({ credential }) {
  try {
    session.signIn(credential, await identify(credential));
  } catch (problem) {
    if (problem.code === "unauthenticated") session.refused(credential);
  }
}

theme(document.getElementById("theme"));
const dialog = signInDialog();
document.body.append(dialog.element);
account(document.getElementById("account"), { signIn: dialog.open });
session.watch(({ changed }) => changed && show({ focus: false }));
show({ focus: false });
if (session.signedIn) recognize(session);
