/**
 * Following one task's events, each once and in order.
 *
 * The browser's own EventSource does it for as long as it tries. It gives up for good on any status but 200;
 * then this looks whether the task is still there, waits, and opens a new one after the last event it has.
 */
import { TERMINAL } from "../timeline/runs.js";
import { backoff } from "./backoff.js";
import { Cursor } from "./cursor.js";
import { isFinal, lookAt } from "./inquiry.js";
import { openSource, streamUrl } from "./source.js";
import { AWAY } from "./states.js";
import { watchWakes } from "./wake.js";

const PROOF_MS = 1000; // a pod that drains opens the stream and ends it at once, again and again
const QUIET_MS = 45_000; // heartbeats are comments, of which an EventSource doesn't tell
const LATE_MS = 5000;
const PATIENCE_MS = 30_000; // a connection may also die without a sign while it's being made

export class TaskStream {
  /** How many entries came that had come before; they are dropped. */
  dropped = 0;
  #path;
  #tell;
  #state = null;
  #cursor = new Cursor();
  #source = null;
  #leaving = new AbortController();
  #asking = new AbortController(); // for the URL to connect to, in this turn
  #turn = 0; // counts connections made and lost: what was begun in an earlier turn means nothing any more
  #timer = 0;
  #loss = null;
  #tries = 0;
  #proven = false;
  #end = undefined; // the log's last id when the connection opened; null: it can't be known
  #heard = 0;

  /**
   * @param {string} taskId
   * @param {{onEvent: (event: object, id: string) => void,
   *   onState: (state: import("./states.js").ConnectionState) => void,
   *   onNotice: (notice: import("./states.js").StreamNotice) => void}} tell
   */
  constructor(taskId, tell) {
    this.#path = `/tasks/${encodeURIComponent(taskId)}`;
    this.#tell = tell;
  }

  /** The id of the last event that came, such as `1-57`; empty before the first. */
  get cursor() {
    return this.#cursor.id;
  }

  /** Begin to follow, from the task's start. */
  open() {
    const { signal } = this.#leaving;
    watchWakes({ wake: () => this.retryNow(), glance: () => this.#glance() }, signal);
    addEventListener("offline", () => this.#isAway() && this.#showAway(), { signal });
    addEventListener("pagehide", () => this.#disconnect(), { signal });
    this.#show({ kind: "connecting", since: Date.now() });
    this.#connect();
  }

  /** Stop following, for good. */
  close() {
    this.#leaving.abort();
    this.#disconnect();
  }

  /** Make a new connection, after the last event that came, without waiting any longer. */
  retryNow() {
    if (this.#leaving.signal.aborted) return;
    this.#noteLoss();
    this.#showAway();
    this.#connect();
  }

  async #connect() {
    this.#disconnect();
    this.#beImpatient();
    const signal = AbortSignal.any([this.#leaving.signal, this.#asking.signal]);
    const { url, problem } = await streamUrl(this.#path, this.#cursor.id, signal);
    if (signal.aborted) return;
    if (problem) return this.#refused(problem);
    this.#source = openSource(url, {
      opened: () => this.#opened(),
      failed: () => this.#failed(),
      entry: (message) => this.#entry(message),
      gap: (data) => this.#gap(data),
      rewound: (data) => this.#rewound(data),
    });
  }

  /** A pod says that there is no stream, or can't say anything now. */
  #refused(problem) {
    clearTimeout(this.#timer);
    if (isFinal(problem)) this.#finish({ kind: "gone", code: problem.code, detail: problem.message });
    else this.#wait();
  }

  #beImpatient() {
    this.#timer = setTimeout(() => this.retryNow(), PATIENCE_MS);
  }

  #disconnect() {
    this.#newTurn();
    this.#source?.close();
    this.#source = null;
  }

  #newTurn() {
    this.#turn += 1;
    this.#asking.abort();
    this.#asking = new AbortController();
    this.#proven = false;
    this.#end = undefined;
    clearTimeout(this.#timer);
  }

  async #opened() {
    this.#newTurn();
    this.#timer = setTimeout(() => this.#prove(), PROOF_MS);
    const turn = this.#turn;
    const { task } = await this.#look();
    if (turn !== this.#turn) return;
    this.#end = task?.last_event_id ?? null;
    if (this.#loss && task) this.#loss.missed = this.#loss.behind + this.#cursor.behind(this.#end);
    this.#settle();
  }

  #prove() {
    this.#heard = Date.now();
    this.#proven = true;
    if (this.#state.kind !== "live") this.#settle();
  }

  #settle() {
    if (!this.#proven || this.#end === undefined) return;
    const behind = this.#end === null ? 0 : this.#cursor.behind(this.#end);
    if (behind === 0) this.#live();
    else if (this.#state.kind !== "catching-up") this.#show({ kind: "catching-up", behind });
  }

  #live() {
    const resumed = this.#loss && { cursor: this.#loss.cursor, missed: this.#loss.missed };
    this.#loss = null;
    this.#tries = 0;
    this.#show({ kind: "live", since: Date.now(), resumed });
  }

  #entry(message) {
    const id = message.lastEventId;
    const step = this.#cursor.advance(id);
    if (step === null) {
      this.dropped += 1;
      return;
    }
    if (this.#loss) this.#loss.behind += 1;
    if (step.missing) this.#gap({ requested: step.before, first_available: id, missing: step.missing });
    this.#tell.onEvent(JSON.parse(message.data), id);
    if (TERMINAL.has(message.type)) this.#finish({ kind: "ended", type: message.type });
    else this.#prove();
  }

  #gap(data) {
    if (this.#cursor.expectGap(data.first_available)) this.#tell.onNotice({ type: "stream.gap", data });
  }

  #rewound(data) {
    this.#end = null;
    const news = this.#cursor.rewind(data.last);
    if (this.#loss) this.#loss = { cursor: this.#cursor.id, behind: 0, missed: null };
    if (news) this.#tell.onNotice({ type: "stream.rewound", data });
    this.#prove();
  }

  #failed() {
    this.#noteLoss();
    this.#newTurn();
    this.#showAway();
    if (this.#source.readyState === EventSource.CLOSED) this.#takeOver();
    else this.#beImpatient();
  }

  async #takeOver() {
    this.#disconnect();
    const turn = this.#turn;
    const { task, problem } = await this.#look();
    if (turn !== this.#turn) return;
    if (problem) return this.#refused(problem);
    const type = `task.${task?.status}`;
    const over = TERMINAL.has(type) && this.#cursor.has(task.last_event_id);
    if (over) this.#finish({ kind: "ended", type });
    else this.#wait();
  }

  #wait() {
    const [delay, { since }] = [backoff(this.#tries), this.#state];
    this.#tries += 1;
    this.#show({ kind: "waiting", since, retryAt: Date.now() + delay, tries: this.#tries });
    this.#timer = setTimeout(() => this.retryNow(), delay);
  }

  /** A connection may be dead without a sign: after a long silence the task itself is asked what there is. */
  async #glance() {
    if (this.#state.kind !== "live" || Date.now() - this.#heard < QUIET_MS) return;
    this.#heard = Date.now();
    const turn = this.#turn;
    const { task, problem } = await this.#look();
    if (turn !== this.#turn) return;
    if (problem?.status === 0) return this.retryNow();
    const isLate = () => turn === this.#turn && task && this.#cursor.behind(task.last_event_id) > 0;
    setTimeout(() => isLate() && this.retryNow(), LATE_MS);
  }

  #look() {
    return lookAt(this.#path, this.#leaving.signal);
  }

  #noteLoss() {
    const cursor = this.#cursor.id;
    if (cursor) this.#loss ??= { cursor, behind: 0, missed: null };
  }

  #isAway() {
    return AWAY.has(this.#state.kind);
  }

  #showAway() {
    const since = this.#isAway() ? this.#state.since : Date.now();
    const kind = navigator.onLine ? "lost" : "offline";
    if (kind !== this.#state.kind) this.#show({ kind, since });
  }

  #finish(state) {
    this.close();
    this.#show(state);
  }

  #show(state) {
    this.#state = Object.freeze(state);
    this.#tell.onState(this.#state);
  }
}
