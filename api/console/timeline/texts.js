/** Texts: the messages of a task, as they were written. Pure; it speaks of indices as `runs.js` does. */

import { nodeName } from "../lib/format.js";
import { upTo } from "../lib/search.js";

/**
 * @typedef {object} Message
 * @property {string} name the node that wrote it
 * @property {string} run
 * @property {string} role `ai`, `human`, `tool`, …; `ai` until its end tells
 * @property {number} begin index of its first event
 * @property {number} end index of its `message.completed`; Infinity while it's written
 * @property {number} voided index of the `attempt.started` that says it's written again; Infinity if none does
 * @property {number[]} deltas indices of its pieces
 * @property {string[]} pieces their texts
 * @property {string} whole its text as `message.completed` has it
 */

export class Texts {
  /** @type {Message[]} in the order in which they began */
  messages = [];
  #open = new Map();
  #bySeq = new Map();

  /** Take the next event in. */
  push(event, index) {
    if (event.type === "attempt.started") return this.#attempt(event, index);
    if (event.type !== "message.delta" && event.type !== "message.completed") return;
    const message = this.#open.get(event.data.message_id) ?? this.#begin(event, index);
    this.#bySeq.set(event.seq, message);
    if (event.type === "message.delta") {
      message.deltas.push(index);
      message.pieces.push(String(event.data.text ?? ""));
    } else {
      const { text = "", role = "ai" } = event.data;
      Object.assign(message, { end: index, whole: String(text), role: String(role) });
      this.#open.delete(event.data.message_id);
    }
  }

  #begin(event, index) {
    const message = { name: nodeName(event), run: event.run ?? "", role: "ai", begin: index, end: Infinity };
    Object.assign(message, { voided: Infinity, deltas: [], pieces: [], whole: "" });
    this.messages.push(message);
    this.#open.set(event.data.message_id, message);
    return message;
  }

  #attempt(event, index) {
    for (const seq of event.data?.supersedes ?? []) {
      const message = this.#bySeq.get(seq);
      if (message) message.voided = Math.min(message.voided, index);
    }
    this.#open.clear();
  }
}

/** How many of a message's pieces had been written at an index. */
export function piecesAt(message, at) {
  return upTo(message.deltas, at);
}

/** A message's text as it was at an index. */
export function textAt(message, at) {
  return message.end <= at ? message.whole : message.pieces.slice(0, piecesAt(message, at)).join("");
}
