/** Transport: the controls of live and replay, as on a tape machine. */

import { el, icon, set, setText } from "../lib/dom.js";
import { count, duration } from "../lib/format.js";
import { SPEEDS } from "../timeline/player.js";

/**
 * @param {import("../timeline/player.js").Player} player
 * @param {{changed: () => void, copyLink: () => Promise<boolean>}} actions
 * @returns {{element: HTMLElement, show(moment: import("../timeline/player.js").Moment): void}}
 */
export function transportView(player, actions) {
  let moment = null;
  const act = (change) => () => {
    change();
    actions.changed();
  };
  const buttons = makeButtons(player, act, () => moment?.timeline);
  const slider = makeSlider(player, actions.changed, () => moment);
  const speed = makeSpeed(player, actions.changed);
  const where = el("output", { class: "transport-where mono number" });
  const element = el(
    "section",
    { class: "transport panel", "aria-label": "Replay" },
    el("div", { class: "transport-buttons" }, ...Object.values(buttons)),
    el("div", { class: "transport-track" }, slider.element),
    el("div", { class: "transport-more" }, where, speed, linkButton(actions.copyLink)),
  );
  const show = (next) => {
    moment = next;
    showButtons(buttons, player, next);
    slider.show(next);
    setText(where, whereText(next));
  };
  return { element, show };
}

function makeButtons(player, act, timeline) {
  const toggle = () => (player.mode === "playing" ? player.pause() : player.play());
  const failure = () => player.seek(timeline().failures[0]);
  return {
    live: button("live", "Live", act(() => player.goLive()), "transport-live"),
    start: button("skip-start", "To the start", act(() => player.seek(0)), "plain transport-start"),
    back: button("step-back", "One event back", act(() => player.step(-1))),
    play: button("play", "Play", act(toggle), "primary transport-play"),
    forward: button("step-forward", "One event on", act(() => player.step(1))),
    end: button("skip-end", "To the end", act(() => player.goLive()), "plain transport-end"),
    failure: button("flag", "To the first failure", act(failure)),
  };
}

function button(shape, label, listen, kind = "plain") {
  const props = { type: "button", class: kind, "aria-label": label, title: label, on: { click: listen } };
  const node = el("button", props, icon(shape));
  if (shape === "live") node.append(el("span", { text: label }));
  return node;
}

function showButtons(buttons, player, { timeline, at }) {
  const playing = player.mode === "playing";
  if (buttons.play.dataset.playing !== String(playing)) {
    const label = playing ? "Pause" : "Play";
    set(buttons.play, { "aria-label": label, title: label, data: { playing } });
    buttons.play.replaceChildren(icon(playing ? "pause" : "play"));
  }
  const live = player.mode === "live";
  set(buttons.live, { "aria-pressed": String(live), hidden: timeline.sealed });
  set(buttons.end, { hidden: !timeline.sealed });
  buttons.play.disabled = timeline.last < 1;
  buttons.back.disabled = buttons.start.disabled = at <= 0;
  buttons.forward.disabled = buttons.end.disabled = at >= timeline.last;
  buttons.failure.disabled = timeline.failures.length === 0;
}

function makeSlider(player, changed, moment) {
  const props = { type: "range", min: 0, step: "any", class: "transport-slider", "aria-label": "Moment" };
  const element = el("input", props);
  const seek = () => {
    player.seekTime(Number(element.value));
    changed();
  };
  element.addEventListener("input", seek);
  element.addEventListener("keydown", (event) => {
    const steps = KEYS[event.key]?.(moment());
    if (steps === undefined) return;
    event.preventDefault();
    player.step(steps);
    changed();
  });
  return { element, show: (next) => showSlider(element, next) };
}

const KEYS = {
  ArrowLeft: () => -1,
  ArrowDown: () => -1,
  ArrowRight: () => 1,
  ArrowUp: () => 1,
  PageDown: ({ timeline }) => -Math.ceil(timeline.last / 10),
  PageUp: ({ timeline }) => Math.ceil(timeline.last / 10),
  Home: ({ timeline }) => -timeline.last,
  End: ({ timeline }) => timeline.last,
};

function showSlider(element, { timeline, at, time }) {
  const most = Math.max(timeline.clock.at(-1) ?? 0, time, 1);
  if (Number(element.max) !== most) element.max = most;
  element.value = time;
  element.style.setProperty("--part", `${(time / most) * 100}%`);
  set(element, { "aria-valuetext": `event ${at + 1} of ${timeline.last + 1}, ${duration(time)}` });
}

function makeSpeed(player, changed) {
  const options = SPEEDS.map((speed) => el("option", { value: speed, text: `${speed}×` }));
  const element = el("select", { class: "transport-speed", "aria-label": "Speed" }, ...options);
  element.addEventListener("change", () => {
    player.setSpeed(Number(element.value));
    changed();
  });
  return element;
}

function linkButton(copyLink) {
  const said = el("span", { class: "offscreen", role: "status" });
  const node = button("link", "Copy a link to this moment", async () => {
    said.textContent = "";
    said.textContent = (await copyLink()) ? "Link copied" : "The link is in the address bar";
    node.dataset.copied = "";
    setTimeout(() => delete node.dataset.copied, 1500);
  });
  return el("span", {}, node, said);
}

function whereText({ timeline, at, time }) {
  if (at < 0) return "no event yet";
  return `${timeline.idAt(at)} · ${at + 1}/${count(timeline.last + 1, "event")} · ${duration(time)}`;
}
