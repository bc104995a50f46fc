/** What a connection can be, and what can happen to a log, as the page is told. */

/**
 * What is known of the connection, told truly. `since` and `retryAt` are times of `Date.now()`.
 * @typedef {{kind: "connecting", since: number}
 *   | {kind: "catching-up", behind: number}
 *   | {kind: "live", since: number, resumed: null | {cursor: string, missed: number | null}}
 *   | {kind: "lost" | "offline", since: number}
 *   | {kind: "waiting", since: number, retryAt: number, tries: number}
 *   | {kind: "ended", type: string}
 *   | {kind: "gone", code: string, detail: string}} ConnectionState
 *   catching-up: so many events of history are still to come; live, resumed: after a loss, from which event
 *   on, and how many had come meanwhile (null: unknown); lost: the browser tries again by itself; offline:
 *   the same, and the browser says that there's no network; waiting: this tries again at that time
 * @typedef {{type: "stream.gap", data: {requested: string, first_available: string, missing: number}}
 *   | {type: "stream.rewound", data: {requested: string, last: string}}} StreamNotice
 *   rewound: throw away the events after `last`
 */

/** The kinds of the states in which nothing comes, and something is done about it. */
export const AWAY = new Set(["lost", "waiting", "offline"]);
