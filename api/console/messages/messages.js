/** The messages up to the moment, as they are written: those written at the same time side by side. */

import { el, icon, set, setText } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { countWhile } from "../lib/search.js";
import { MessageBlock } from "./block.js";

const NEAR = 50; // messages at the end that are in the page
const EARLIER = 100; // how many more are put in at once when asked for
const MOST = 1000; // in the page while the reader, who has scrolled up, doesn't follow

/**
 * The messages.
 * @param {{select: (index: number) => void}} actions
 * @returns {{element: HTMLElement, show(moment: import("../timeline/player.js").Moment): void}}
 */
export function messagesView(actions) {
  return new MessagesView(actions);
}

class MessagesView {
  #actions;
  #timeline = null;
  #abreast = null;
  /** @type {MessageBlock[]} those in the page: of the messages from #first on */
  #blocks = [];
  #first = 0;
  #following = true;
  #top = 0;
  #moment = null;
  #count = el("span", { class: "number muted" });
  #earlier = el("button", { type: "button", class: "messages-earlier", hidden: true });
  #groups = el("div", { class: "messages-groups" });
  #log = el("div", {
    class: "messages-log",
    role: "log",
    "aria-live": "off",
    tabindex: 0,
    "aria-label": "Messages",
  });
  #jump = el(
    "button",
    { type: "button", class: "messages-jump", hidden: true },
    icon("chevron-down"),
    "To the end",
  );

  constructor(actions) {
    this.#actions = actions;
    this.#log.append(this.#earlier, this.#groups);
    this.#log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#earlier.addEventListener("click", () => this.#showEarlier());
    this.#jump.addEventListener("click", () => this.#follow());
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(this.#groups);
    const header = el("header", {}, el("h2", { text: "Messages" }), this.#count);
    const props = { class: "panel messages", "aria-label": "Messages", hidden: true };
    this.element = el("section", props, header, this.#log, this.#jump);
  }

  /** Show what was written up to a moment. */
  show(moment) {
    this.#moment = moment;
    const { timeline, at } = moment;
    if (timeline !== this.#timeline) this.#restart(timeline);
    const begun = countWhile(timeline.texts.messages, ({ begin }) => begin <= at);
    const first = this.#following ? begun - NEAR : Math.min(this.#first, begun - 1);
    this.#range(Math.max(0, first), this.#following ? begun : Math.min(begun, Math.max(0, first) + MOST));
    this.#update();
    this.#tell(begun);
  }

  #restart(timeline) {
    this.#range(0, 0);
    [this.#timeline, this.#abreast, this.#following] = [timeline, new Abreast(timeline), true];
  }

  #update() {
    const { timeline, at } = this.#moment;
    const attemptBegan = timeline.attemptAt(at)?.index ?? 0;
    const over = timeline.outcomeAt(at) !== undefined;
    let changed = false;
    for (const block of this.#blocks) changed = block.show({ timeline, at, attemptBegan, over }) || changed;
    if (changed && this.#following) this.#toEnd();
  }

  /** Have the messages from `first` to before `end` in the page, and leave those alone that are. */
  #range(first, end) {
    if (first >= this.#end || end <= this.#first) this.#clear(first);
    while (this.#first < first) this.#leave(this.#blocks.shift(), (this.#first += 1));
    while (this.#end > end) this.#leave(this.#blocks.pop());
    while (this.#first > first) this.#blocks.unshift(this.#enter((this.#first -= 1), "prepend"));
    while (this.#end < end) this.#blocks.push(this.#enter(this.#end, "append"));
  }

  get #end() {
    return this.#first + this.#blocks.length;
  }

  #clear(first) {
    this.#groups.replaceChildren();
    [this.#blocks, this.#first] = [[], first];
  }

  #leave(block) {
    const group = block.element.parentNode;
    block.element.remove();
    if (!group.children.length) group.remove();
  }

  #enter(number, where) {
    const block = new MessageBlock(this.#timeline.texts.messages[number], this.#actions.select);
    const name = String(this.#abreast.groupOf(number));
    const edge = where === "append" ? this.#groups.lastChild : this.#groups.firstChild;
    const isSame = edge?.dataset.group === name;
    const group = isSame ? edge : el("div", { class: "messages-group", data: { group: name } });
    group[where](block.element);
    if (!isSame) this.#groups[where](group);
    return block;
  }

  #tell(begun) {
    set(this.element, { hidden: this.#timeline.texts.messages.length === 0 });
    setText(this.#count, begun ? begun.toLocaleString("en") : "none yet");
    const more = Math.min(EARLIER, this.#first);
    const text =
      more < this.#first
        ? `Show ${more} of ${count(this.#first, "earlier message")}`
        : `Show ${count(more, "earlier message")}`;
    setText(this.#earlier, text);
    set(this.#earlier, { hidden: more === 0 });
    set(this.#jump, { hidden: this.#following });
  }

  #showEarlier() {
    const below = this.#log.scrollHeight - this.#log.scrollTop;
    this.#following = false;
    const end = this.#end;
    this.#range(Math.max(0, this.#first - EARLIER), end);
    this.#update();
    this.#tell(end);
    this.#log.scrollTop = this.#top = this.#log.scrollHeight - below;
    this.#log.focus({ preventScroll: true });
  }

  #follow() {
    this.#following = true;
    this.#log.focus({ preventScroll: true });
    this.show(this.#moment);
    this.#toEnd();
  }

  #toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#top = this.#log.scrollTop;
  }

  /** Only the reader scrolls up; at the end it's followed again. */
  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 24;
    if (isAtEnd) this.#following = true;
    else if (scrollTop < this.#top - 1) this.#following = false;
    this.#top = scrollTop;
    set(this.#jump, { hidden: this.#following });
  }
}

/** Which messages were written at the same time: they are of one group. */
class Abreast {
  #timeline;
  #groups = [];
  #group = -1;
  #open = [];

  constructor(timeline) {
    this.#timeline = timeline;
  }

  /** The group of a message, by its number. */
  groupOf(number) {
    const { messages } = this.#timeline.texts;
    while (this.#groups.length <= number) this.#take(messages[this.#groups.length]);
    return this.#groups[number];
  }

  #take(message) {
    const began = this.#timeline.attemptAt(message.begin)?.index ?? 0;
    this.#open = this.#open.filter(({ begin, end }) => begin >= began && end > message.begin);
    if (!this.#open.length) this.#group += 1;
    this.#open.push(message);
    this.#groups.push(this.#group);
  }
}
