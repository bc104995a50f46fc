/** The questions that a task waits with: each with a form, or in replay with the answer that came. */

import { session } from "../auth/session.js";
import { ask } from "../lib/api.js";
import { el, icon, set, setText } from "../lib/dom.js";
import { lastUpTo } from "../lib/search.js";
import { membersView, valueView } from "../lib/values.js";
import { TERMINAL } from "../timeline/runs.js";
import { answerControl } from "./answer.js";

const FAR = 1000; // events after a question among which its answer is looked for
const LONGEST_HEADLINE = 500; // characters; what is longer is text like any other

/**
 * The questions.
 * @param {{taskId: string}} actions
 * @returns {{element: HTMLElement, show(moment: import("../timeline/player.js").Moment): void}}
 */
export function questionView({ taskId }) {
  const title = el("h2");
  const body = el("div", { class: "body question-body" });
  const props = { class: "panel question tone-waiting", "aria-label": "Question", hidden: true };
  const element = el("section", props, el("header", {}, icon("hand"), title), body);
  const cards = new Map();
  let shown = "";
  const show = (moment) => {
    const questions = moment.timeline.questionsAt(moment.at);
    const index = questions.length ? lastUpTo(moment.timeline.questions, moment.at) : -1;
    const later = moment.live ? 0 : moment.timeline.last;
    const state = questions.length ? `${moment.timeline.idAt(index)} ${moment.live} ${later}` : "";
    if (state === shown) return;
    shown = state;
    set(element, { hidden: !questions.length });
    setText(title, moment.live ? titleText(questions.length) : "The task waited here for an answer");
    const make = (question) =>
      moment.live
        ? liveCard(cards, taskId, question, moment.timeline.idAt(index))
        : pastCard(question, moment.timeline, index);
    body.replaceChildren(...questions.map(make));
  };
  return { element, show };
}

function titleText(questions) {
  return questions === 1
    ? "The task waits for your answer"
    : `The task waits for your answer to one of ${questions} questions`;
}

/** The card of a question; one that is asked again, since another was answered, keeps what was typed. */
function liveCard(cards, taskId, question, asked) {
  const key = JSON.stringify([question.id, question.value]);
  if (!cards.has(key)) cards.set(key, new QuestionCard(taskId, question));
  const card = cards.get(key);
  card.ask(asked);
  return card.element;
}

class QuestionCard {
  #taskId;
  #question;
  #asked = "";
  #control;
  #fields = el("fieldset", { class: "question-fields" });
  #trouble = el("p", { class: "notice tone-failed", role: "alert", hidden: true });
  #answer = el("div", { class: "question-answer", role: "status", tabindex: -1 });

  constructor(taskId, question) {
    [this.#taskId, this.#question] = [taskId, question];
    this.#control = answerControl(question.value, (value) => this.#send(value));
    this.#fields.append(this.#control.element);
    const form = el(
      "form",
      { class: "question-form", novalidate: true, "aria-label": "Answer" },
      !session.mayChange && el("p", { class: "notice", text: "Your role, read, lets you see this and not answer." }),
      this.#fields,
      this.#trouble,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const read = this.#control.read();
      if (read) this.#send(read.value);
    });
    this.element = el(
      "article",
      { class: "question-card" },
      wordsOf(question.value),
      el("div", {}, form, this.#answer),
    );
  }

  /** It's asked by the event of that id; an answer to an earlier one counts no more. */
  ask(id) {
    if (id === this.#asked) return;
    this.#asked = id;
    this.#fields.disabled = !session.mayChange;
    set(this.#fields, { hidden: false });
    this.#answer.replaceChildren();
  }

  async #send(value) {
    const asked = this.#asked;
    this.#fields.disabled = true;
    set(this.#trouble, { hidden: true });
    const body = { value, interrupt_id: this.#question.id };
    try {
      await ask("POST", `/tasks/${encodeURIComponent(this.#taskId)}/resume`, { body });
      if (asked === this.#asked) this.#done(...answered(value));
    } catch (problem) {
      if (asked === this.#asked) this.#refused(problem);
    }
  }

  #refused(problem) {
    if (problem.code === "not_waiting") {
      return this.#done(
        el("p", {
          text: "The task doesn't wait for this any more: somebody else has answered, or it has ended.",
        }),
      );
    }
    this.#fields.disabled = false;
    set(this.#trouble, { hidden: false, text: `The answer wasn't taken. ${problem.message}` });
  }

  #done(...nodes) {
    set(this.#fields, { hidden: true });
    this.#answer.replaceChildren(...nodes);
    this.#answer.focus({ preventScroll: true });
  }
}

function pastCard(question, timeline, index) {
  const answer = el("div", { class: "question-answer" }, ...pastAnswer(question, timeline, index));
  return el("article", { class: "question-card" }, wordsOf(question.value), answer);
}

function pastAnswer(question, timeline, index) {
  const { events } = timeline;
  for (let later = index + 1; later < Math.min(events.length, index + FAR); later++) {
    const { type, data } = events[later];
    if (type === "task.resumed" && data.interrupt_id === question.id) return answered(data.value);
    if (type === "task.interrupted" || TERMINAL.has(type)) break;
  }
  const went = index < timeline.last;
  return [
    el("p", {
      class: "muted",
      text: went ? "It wasn't answered before the task went on." : "Nobody has answered yet.",
    }),
  ];
}

function answered(value) {
  return [el("p", { class: "question-answered" }, icon("check"), "Answered"), valueView(value, "Answer")];
}

/** The question in words: its headline, and whatever else the graph tells. */
function wordsOf(value) {
  return el("div", { class: "question-words" }, ...wordNodes(value));
}

function wordNodes(value) {
  if (isHeadline(value)) return [headline(value)];
  if (value === null || typeof value !== "object" || Array.isArray(value))
    return [headline(""), valueView(value, "Question")];
  const name = ["question", "message", "title", "prompt"].find((it) => isHeadline(value[it]));
  const rest = Object.entries(value).filter(([it]) => it !== name && it !== "schema" && it !== "options");
  return [headline(name ? value[name] : ""), rest.length > 0 && membersView(rest)].filter(Boolean);
}

function isHeadline(value) {
  return typeof value === "string" && value !== "" && value.length <= LONGEST_HEADLINE;
}

function headline(text) {
  return el("h3", { class: "question-headline" }, el("bdi", { text: text || "The graph asks" }));
}
