/** The types of events, and how each looks: its family, its icon and its tone. Pure. */

/** What the list of events can be narrowed to: a name and its label. */
export const FAMILIES = [
  ["", "All events"],
  ["node", "Nodes"],
  ["message", "Messages"],
  ["progress", "Progress"],
  ["task", "Task"],
];

const LOOKS = {
  "task.submitted": ["queue", "queued"],
  "attempt.started": ["flag", "running"],
  "node.started": ["play", "running"],
  "node.completed": ["check", "succeeded"],
  "node.failed": ["cross", "failed"],
  "message.delta": ["message", "queued"],
  "message.completed": ["message", "running"],
  progress: ["bolt", "queued"],
  "task.interrupted": ["hand", "waiting"],
  "task.resumed": ["repeat", "waiting"],
  "task.cancel_requested": ["ban", "cancelling"],
  "task.succeeded": ["check", "succeeded"],
  "task.failed": ["cross", "failed"],
  "task.cancelled": ["ban", "cancelled"],
};

/**
 * Every type of event that a log can hold, as docs/protocol.md lists them: an EventSource passes on only what is
 * listened for by name.
 */
export const TYPES = Object.keys(LOOKS);

/** The family of a type: `node`, `message`, `progress` or `task`. */
export function familyOf(type) {
  const head = type.split(".")[0];
  return head === "attempt" ? "task" : head;
}

/** @returns {{icon: string, tone: string}} an icon's name, and the status whose colour is the type's */
export function lookOf(type) {
  const [icon, tone] = LOOKS[type] ?? ["info", "queued"];
  return { icon, tone };
}
