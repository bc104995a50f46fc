/** Asking what has become of a task, apart from its stream. */

import { ask } from "../lib/api.js";

const LONGEST_MS = 10_000;

/**
 * The task as it is now, or why that can't be told.
 * @param {string} path of the task
 * @param {AbortSignal} signal
 * @returns {Promise<{task?: Record<string, any>, problem?: import("../lib/api.js").Problem}>} never rejects
 */
export function lookAt(path, signal) {
  const asked = ask("GET", path, { signal, patience: LONGEST_MS });
  return asked.then((task) => ({ task }), (problem) => ({ problem }));
}

/** Whether asking again is no use: a pod has said so, and not something in between that knows no tasks. */
export function isFinal({ status, code }) {
  const passing = status === 408 || status === 429 || code === "" || code === "bad_answer";
  return status >= 400 && status < 500 && !passing;
}
