/** Events, times and ids in words. Pure. */

const LONGEST_SUMMARY = 200;

/** The event's id: the cursor after it, such as `1-57`. */
export function eventId(event) {
  return `${event.attempt}-${event.seq}`;
}

/** Where an event came from, with the path of subgraphs that leads to it; empty if from no node. */
export function nodeName(event) {
  const path = Array.isArray(event.data?.path) ? event.data.path : [];
  return [...path, event.node].filter(Boolean).join("/");
}

/** A duration in milliseconds: `0.42 s`, `7.3 s`, `2 min 05 s`, `3 h 07 min`, `2 d 4 h`. */
export function duration(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (minutes < 60) return `${minutes} min ${pad(Math.floor(seconds) % 60)} s`;
  if (hours < 48) return `${hours} h ${pad(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago, from milliseconds: `now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function ago(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** The local time of day of an RFC 3339 time, with milliseconds. */
export function clockTime(ts) {
  const time = new Date(ts);
  if (Number.isNaN(time.getTime())) return "";
  const [hours, minutes, seconds] = [time.getHours(), time.getMinutes(), time.getSeconds()].map(pad);
  return `${hours}:${minutes}:${seconds}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/** A task's id cut to what tells tasks of one day apart: its end. */
export function shortId(taskId) {
  return `…${taskId.slice(-8)}`;
}

/** A count with its noun: `1 event`, `12 events`. */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** The text, cut; an ellipsis tells that it was. */
export function shorten(text, most = LONGEST_SUMMARY) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** How far a `progress` event's node is, 0 to 1; null when it doesn't tell. */
export function fraction(data) {
  const [percent, current, total] = [data?.percent, data?.current, data?.total].map(finite);
  const part = percent !== null ? percent / 100 : current !== null && total ? current / total : null;
  return part === null ? null : Math.min(Math.max(part, 0), 1);
}

/** What a `progress` event says in words, with `current/total` if it counts. */
export function progressText(data) {
  if (data?.dropped === true) return `dropped: ${data.reason}`;
  if (typeof data?.message !== "string") return shorten(JSON.stringify(data ?? {}));
  const [current, total] = [finite(data.current), finite(data.total)];
  return shorten(data.message) + (current !== null && total !== null ? ` (${current}/${total})` : "");
}

const summaries = new WeakMap(); // an event never changes, and its data may be large

/** What an event says, on one line. */
export function summary(event) {
  if (!summaries.has(event)) summaries.set(event, summarize(event));
  return summaries.get(event);
}

function summarize(event) {
  const data = event.data ?? {};
  switch (event.type) {
    case "progress":
      return oneLine(progressText(data));
    case "message.delta":
    case "message.completed":
      return oneLine(shorten(String(data.text ?? "")));
    case "node.failed":
      return oneLine(shorten(String(data.message ?? "")));
    case "task.failed":
      return oneLine(shorten(`${data.code}: ${data.message}`));
    case "attempt.started":
      return attemptText(data);
    default:
      return Object.keys(data).length ? shorten(JSON.stringify(data)) : "";
  }
}

function attemptText(data) {
  const again = Array.isArray(data.supersedes) ? data.supersedes.length : 0;
  return `by ${data.worker}${again ? `, does ${count(again, "event")} again` : ""}`;
}

function oneLine(text) {
  return text.replaceAll(/\s*\n\s*/g, " ⏎ ");
}

function finite(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function pad(number) {
  return String(number).padStart(2, "0");
}
