/** Opening a task's stream with the browser's EventSource, which can send no header: a ticket goes into its URL. */

import { session } from "../auth/session.js";
import { ask } from "../lib/api.js";
import { TYPES } from "../timeline/kinds.js";

/**
 * Where to open a task's stream, after the entry with that id. While a credential is needed it waits; with one it
 * gets a ticket.
 * @param {string} path of the task
 * @param {string} cursor empty for the start
 * @param {AbortSignal} signal
 * @returns {Promise<{url?: string, problem?: import("../lib/api.js").Problem}>} never rejects
 */
export async function streamUrl(path, cursor, signal) {
  const query = cursor && `last_event_id=${cursor}`;
  try {
    await session.ready(signal);
    if (!session.signedIn) return { url: `${path}/stream${query && `?${query}`}` };
    const { stream } = await ask("POST", `${path}/ticket`, { signal });
    return { url: `${stream}${query && `&${query}`}` };
  } catch (problem) {
    return { problem };
  }
}

/**
 * Open a stream.
 * @param {string} url
 * @param {{opened: () => void, failed: () => void, entry: (message: MessageEvent) => void,
 *   gap: (data: object) => void, rewound: (data: object) => void}} tell
 * @returns {EventSource}
 */
export function openSource(url, { opened, failed, entry, gap, rewound }) {
  const source = new EventSource(url);
  source.onopen = opened;
  source.onerror = failed;
  for (const type of TYPES) source.addEventListener(type, entry);
  source.addEventListener("stream.gap", (message) => gap(JSON.parse(message.data)));
  source.addEventListener("stream.rewound", (message) => rewound(JSON.parse(message.data)));
  return source;
}
