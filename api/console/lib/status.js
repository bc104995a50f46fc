/** A task's status as a badge: a shape, a word and a colour. */

import { el, icon, set } from "./dom.js";

/** All statuses, in the order in which a task has them. */
export const STATUSES = ["queued", "running", "waiting", "cancelling", "succeeded", "failed", "cancelled"];

/** Those that are final. */
export const FINAL = new Set(["succeeded", "failed", "cancelled"]);

const ICONS = {
  queued: "queue",
  running: "spinner",
  waiting: "hand",
  cancelling: "ban",
  succeeded: "check",
  failed: "cross",
  cancelled: "ban",
};

/** A badge that shows a status. */
export function statusBadge(status) {
  return setStatus(el("span"), status);
}

/** Have a badge show another status; an unchanged one is left alone. Gives the badge. */
export function setStatus(badge, status) {
  if (badge.dataset.status === status) return badge;
  const shape = icon(ICONS[status] ?? "clock");
  shape.classList.toggle("spinning", status === "running");
  set(badge, { class: `status badge tone-${status}`, data: { status } });
  badge.replaceChildren(shape, status);
  return badge;
}
