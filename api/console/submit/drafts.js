/** What was typed and not yet sent, kept for this tab: a reload loses nothing. */

const KEY = "taskreel.draft.";

/**
 * @typedef {object} Draft
 * @property {unknown} [input]
 * @property {string} [text] the input as it was typed, when it's edited as JSON
 * @property {string} thread
 * @property {string} metadata JSON
 */

/**
 * What was typed for a graph; null if nothing was.
 * @returns {Draft | null}
 */
export function recallDraft(graph) {
  try {
    return JSON.parse(sessionStorage.getItem(KEY + graph));
  } catch {
    return null; // storage is forbidden, or holds what isn't ours
  }
}

/**
 * Keep what was typed for a graph; null forgets it.
 * @param {string} graph
 * @param {Draft | null} draft
 */
export function keepDraft(graph, draft) {
  try {
    if (draft) sessionStorage.setItem(KEY + graph, JSON.stringify(draft));
    else sessionStorage.removeItem(KEY + graph);
  } catch {
    return; // storage is forbidden or full: a reload will lose it
  }
}
