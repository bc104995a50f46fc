/** Light or dark: the system's choice, until somebody makes one of their own, which this browser remembers. */

import { set } from "./lib/dom.js";

const KEY = "taskreel.theme";

/** Have the button switch between the two. */
export function theme(button) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const show = () => {
    set(button, { "aria-pressed": String(isDark()) });
    set(button.querySelector("use"), { href: `#i-${isDark() ? "sun" : "moon"}` });
  };
  const chosen = recall();
  if (chosen) document.documentElement.dataset.theme = chosen;
  dark.addEventListener("change", show);
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    remember(document.documentElement.dataset.theme);
    show();
  });
  show();
}

function recall() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is forbidden: the system's choice it is
  }
}

function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    return; // it holds for this page, then
  }
}
