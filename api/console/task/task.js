/** The page of one task: its stream feeds a timeline, and the views show a moment of it. */

import { eventsView } from "../events/events.js";
import { inspectorView } from "../events/inspector.js";
import { graphView } from "../graph/graph.js";
import { lanesView } from "../lanes/lanes.js";
import { exchange } from "../lib/api.js";
import { copyText, el } from "../lib/dom.js";
import { messagesView } from "../messages/messages.js";
import { connectionPill } from "../stream/connection.js";
import { TaskStream } from "../stream/stream.js";
import { Player } from "../timeline/player.js";
import { Timeline } from "../timeline/timeline.js";
import { headView } from "./head.js";
import { nodesView } from "./nodes.js";
import { outcomeView } from "./outcome.js";
import { questionView } from "./question.js";
import { transportView } from "./transport.js";

const STILL_MS = 100; // between two pictures of a running task to which nothing new has come
const REDUCED_MS = 1000; // the same for who wants less motion

const reduced = matchMedia("(prefers-reduced-motion: reduce)");

/** Fill the page; `?task=` names the task, `#at=` the moment. */
export async function mount(root, { query, signal }) {
  const page = new TaskPage(query.get("task"), signal);
  root.append(page.element);
  page.open();
  addEventListener("hashchange", () => page.seekHash(), { signal });
  signal.addEventListener("abort", () => page.close());
}

class TaskPage {
  #taskId;
  #signal;
  #timeline = new Timeline();
  #player;
  #stream;
  #pill;
  #views;
  #selecting;
  #skew = 0;
  #wanted = null;
  #frame = 0;
  #timer = 0;

  constructor(taskId, signal) {
    this.#taskId = taskId;
    this.#signal = signal;
    const clocks = { now: () => performance.now(), serverNow: () => Date.now() + this.#skew };
    this.#player = new Player(this.#timeline, clocks);
    this.#stream = new TaskStream(taskId, {
      onEvent: (event) => this.#push(event),
      onState: (state) => this.#connection(state),
      onNotice: (notice) => this.#notice(notice),
    });
    this.#pill = connectionPill({ retryNow: () => this.#stream.retryNow() });
    this.element = el("div", { class: "task" }, ...this.#makeViews());
  }

  /** Begin to follow the task. */
  async open() {
    this.seekHash();
    this.#stream.open();
    this.#draw();
    const here = `/tasks/${encodeURIComponent(this.#taskId)}`;
    const { skew } = await exchange("GET", here).catch(() => ({ skew: 0 })); // the stream tells what's wrong
    this.#skew = skew;
  }

  /** Let go of everything. */
  close() {
    this.#stream.close();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
  }

  /** Go to the moment in the address bar, as soon as it has come. */
  seekHash() {
    const id = /^#at=([0-9]+-[0-9]+)$/.exec(location.hash)?.[1];
    if (!id) return this.#player.mode === "paused" && this.#moved(() => this.#player.goLive());
    const index = this.#timeline.indexOf(id);
    this.#wanted = index >= 0 && this.#timeline.idAt(index) === id ? null : id;
    this.#player.seek(index);
    this.#draw();
  }

  #makeViews() {
    const actions = {
      taskId: this.#taskId,
      select: (index) => this.#select(index),
      seek: (index, time) => this.#moved(() => this.#player.seek(index, time)),
      changed: () => this.#draw(),
    };
    const head = headView(actions, this.#pill.element);
    const question = questionView(actions);
    const [lanes, nodes, messages] = [lanesView, nodesView, messagesView].map((make) => make(actions));
    const [outcome, events, inspector, graph] = [outcomeView, eventsView, inspectorView, graphView].map((make) =>
      make(actions),
    );
    const controls = { changed: () => this.#moved(() => {}), copyLink: () => this.#copyLink() };
    const transport = transportView(this.#player, controls);
    this.#views = [head, question, lanes, nodes, messages, outcome, events, inspector, graph, transport];
    this.#selecting = [lanes, events, inspector];
    return [
      head.element,
      question.element,
      panel("Nodes over time", "task-lanes", lanes.element),
      el("div", { class: "task-left" }, nodes.element, outcome.element, messages.element, graph.element),
      el("div", { class: "task-right" }, panel("Events", "task-events", events.element), inspector.element),
      transport.element,
    ];
  }

  #push(event) {
    this.#timeline.push(event);
    if (this.#wanted && this.#timeline.idAt(this.#timeline.last) === this.#wanted) {
      this.#player.seek(this.#timeline.last);
      this.#wanted = null;
    }
    this.#draw();
  }

  #connection(state) {
    this.#pill.show(state);
    if (state.kind === "gone" && this.#timeline.last < 0) return this.#explain(state);
    if (this.#wanted && (state.kind === "live" || state.kind === "ended")) {
      this.#pill.note({ type: "moment.missing", data: { id: this.#wanted } });
      this.#moved(() => this.#player.seek(this.#timeline.indexOf(this.#wanted)));
    }
    this.#draw();
  }

  /** There is nothing to show, and why. */
  #explain({ code, detail }) {
    const title = code === "log_expired" ? "This task's log has expired" : "There is no such task";
    const links = el("p", {}, el("a", { href: "/", text: "Look at the tasks there are" }));
    const said = [el("h1", { text: title }), el("p", { text: detail }), links];
    this.element.replaceChildren(el("div", { class: "notice task-gone" }, ...said));
  }

  #notice(notice) {
    this.#pill.note(notice);
    if (notice.type !== "stream.rewound") return;
    this.#timeline = this.#timeline.upTo(notice.data.last);
    this.#player.replace(this.#timeline);
    this.#draw();
  }

  #select(index) {
    for (const view of this.#selecting) view.select(index);
    this.#draw();
  }

  /** The reader has gone to another moment: the address bar goes along. */
  #moved(change) {
    change();
    this.#wanted = null;
    const { at, live } = this.#player.moment();
    const hash = live || at < 0 || this.#player.mode === "playing" ? "" : `#at=${this.#timeline.idAt(at)}`;
    if (hash !== location.hash) history.replaceState(null, "", location.pathname + location.search + hash);
    this.#draw();
  }

  #copyLink() {
    const { at } = this.#player.moment();
    const hash = at < 0 ? "" : `#at=${this.#timeline.idAt(at)}`;
    return copyText(location.origin + location.pathname + location.search + hash);
  }

  #draw() {
    if (this.#signal.aborted) return; // an answer that was waited for comes after the page was left
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      clearTimeout(this.#timer);
      const moment = this.#player.moment();
      for (const view of this.#views) view.show(moment);
      if (this.#player.mode === "playing" && !reduced.matches) this.#draw();
      else if (this.#player.moving) {
        this.#timer = setTimeout(() => this.#draw(), reduced.matches ? REDUCED_MS : STILL_MS);
      }
    });
  }
}

function panel(title, name, ...content) {
  const head = el("header", {}, el("h2", { text: title }));
  return el("section", { class: `panel ${name}`, "aria-label": title }, head, ...content);
}
