/**
 * The picture of a run: a lane for each node on a time axis, a bar for each of its runs.
 *
 * Only what is in sight is drawn, and what is as it was in the last picture isn't touched.
 */

import { el, svg } from "../lib/dom.js";
import { Axis, AXIS, Playhead } from "./axis.js";
import { Bars } from "./bars.js";
import { bandOf, firstRun, runAtPlace, runByKey } from "./find.js";
import { listenToKeys, listenToPointer } from "./input.js";
import { Labels } from "./labels.js";
import { Layout, barTop, heightOf, inSight } from "./layout.js";
import { Listbox } from "./listbox.js";
import { boxOf, marksOf } from "./marks.js";
import { Outline } from "./outline.js";
import { Scale, extent } from "./scale.js";
import { Tip } from "./tip.js";
import { lanesText, runText } from "./words.js";
import { Zoom } from "./zoom.js";

const NARROW = 560;
const LABELS = 156;
const [LEFT, RIGHT] = [8, 14];
const MARGIN = 80;
const SLACK = 3;

/**
 * The view of a task's runs over time.
 * @param {{select: (index: number) => void, seek: (index: number, time?: number) => void}} actions
 * @returns {{element: HTMLElement, show: (moment: object) => void, select: (index: number) => void}}
 */
export function lanesView(actions) {
  return new LanesView(actions);
}

class LanesView {
  element;
  #actions;
  #moment = null;
  #scale = null;
  #layout = new Layout();
  #size = { width: 0, height: 0, top: 0 };
  #zoom = new Zoom();
  #active = new Outline("lanes-ring");
  #selected = new Outline("lanes-chosen");
  #told = {};
  #frame = 0;
  #axis = new Axis();
  #bars = new Bars();
  #labels = new Labels();
  #playhead = new Playhead();
  #tip = new Tip();
  #listbox;

  constructor(actions) {
    this.#actions = actions;
    this.#build();
    const acts = this.#acts();
    listenToPointer(this.top, acts);
    listenToPointer(this.body, acts);
    listenToKeys(this.#listbox.element, acts);
    const observer = new ResizeObserver(() => this.#resized());
    observer.observe(this.#listbox.element);
    observer.observe(this.body);
  }

  /** Show a moment. */
  show(moment) {
    this.#moment = moment;
    if (this.#size.width) this.#draw();
  }

  /** Mark the run of an event. */
  select(index) {
    const timeline = this.#moment?.timeline;
    const event = timeline?.events[index];
    this.#selected.run = (event && timeline.lanes.runOf(event)) ?? null;
    if (this.#selected.run) this.#reveal(this.#selected.run);
    this.#later();
  }

  #build() {
    const drawn = [this.#bars.element, this.#selected.element, this.#active.element];
    const plot = svg("svg", { class: "lanes-plot", "aria-hidden": "true" }, ...drawn);
    this.empty = el("p", { class: "lanes-empty muted", text: "No node has run yet." });
    this.body = el("div", { class: "lanes-body" }, plot, this.#labels.element, this.empty);
    const leave = () => this.#tip.point(null);
    const listens = { scroll: () => this.#scrolled(), focus: () => this.#focused(), blur: leave };
    this.#listbox = new Listbox(this.body, listens);
    this.top = el("div", { class: "lanes-top" }, this.#axis.element);
    const over = [this.#playhead.element, this.#tip.element];
    this.element = el("div", { class: "lanes" }, this.#axis.rules, this.top, this.#listbox.element, ...over);
  }

  #acts() {
    return {
      place: (event) => this.#place(event),
      seek: (time) => this.#seek(time),
      move: (key) => this.#move(key),
      open: (run = this.#here()) => run && this.#open(run),
      hover: (place) => this.#tip.point(place, this.#moment),
      zoom: (factor, time) => this.#zoomed((all) => this.#zoom.by(factor, time ?? this.#moment.time, all)),
      pan: (pixels) => this.#zoomed((all) => this.#zoom.pan(pixels * this.#scale.perPixel, all)),
      fit: () => this.#zoomed(() => this.#zoom.fit()),
    };
  }

  #draw() {
    const { timeline, time } = this.#moment;
    if (this.#layout.update(timeline.lanes.lanes, this.narrow)) this.#resize();
    this.#zoom.follow(time, this.#all());
    const { from, to } = this.#zoom.stretch(this.#all());
    const left = LEFT + (this.narrow ? 0 : LABELS);
    this.#scale = new Scale(from, to, left, Math.max(this.#size.width - left - RIGHT, 1));
    this.#axis.draw(this.#moment, this.#scale);
    this.#drawRows();
    this.#playhead.draw(this.#moment, this.#scale);
    this.element.classList.toggle("lanes-live", this.#moment.live);
    this.#active.draw(this.#layout.bands, this.#moment, this.#scale);
    this.#selected.draw(this.#layout.bands, this.#moment, this.#scale);
    this.#tip.draw(this.#moment);
    this.#tell();
  }

  #resize() {
    const { bands } = this.#layout;
    this.body.style.height = `${heightOf(bands)}px`;
    this.empty.hidden = bands.length > 0;
  }

  #drawRows() {
    const { top, height } = this.#size;
    const seen = inSight(this.#layout.bands, top - MARGIN, top + height + MARGIN);
    this.#labels.draw(seen.map(({ band }) => band), this.#moment);
    this.#bars.begin();
    for (const { band, first, last } of seen) {
      for (let row = first; row <= last; row++) {
        const place = { y: barTop(band, row), height: band.bar, moment: this.#moment, scale: this.#scale };
        const marks = marksOf(band.lane.rows[row], this.#moment, this.#scale);
        for (const mark of marks) this.#bars.draw(mark, place);
      }
    }
    this.#bars.end();
  }

  /** The whole in words, and the active run, for who can't see it. */
  #tell() {
    const { timeline, at } = this.#moment;
    if (this.#told.timeline === timeline && this.#told.at === at) return;
    this.#told = { timeline, at };
    this.#listbox.name(lanesText(this.#moment, timeline.lanes.openAt(at)));
  }

  #activate(run) {
    this.#active.run = run;
    this.#listbox.activate(runText(run, this.#moment), run === this.#selected.run);
    this.#reveal(run);
    const { x } = boxOf(run, this.#moment, this.#scale);
    const band = bandOf(this.#layout.bands, run);
    const below = AXIS + barTop(band, run.row) + band.bar - this.#size.top;
    this.#tip.point({ run, x: Math.max(x, this.#scale.left), y: below }, this.#moment);
    this.#later();
  }

  #focused() {
    if (this.#scale && this.#listbox.element.matches(":focus-visible")) this.#move(null);
  }

  /** To the run that a key leads to; without one, to the active run. */
  #move(key) {
    const [here, bands, moment] = [this.#here(), this.#layout.bands, this.#moment];
    const next = here && key ? runByKey(bands, here, key, moment) : here;
    const run = next ?? firstRun(bands, this.#size.top, moment);
    if (run) this.#activate(run);
  }

  /** The active run, if it is there at the moment. */
  #here() {
    const { run } = this.#active;
    return run && this.#moment.timeline.lanes.isThere(run, this.#moment.at) ? run : undefined;
  }

  #open(run) {
    [this.#active.run, this.#selected.run] = [run, run];
    this.#later();
    this.#actions.select(run.end <= this.#moment.at ? run.end : run.begin);
  }

  #seek(time) {
    const { timeline } = this.#moment;
    const bounded = Math.min(Math.max(time, 0), timeline.clock.at(-1) ?? 0);
    if (timeline.last >= 0) this.#actions.seek(timeline.indexAt(bounded), bounded);
  }

  #place(event) {
    const { left, top } = this.body.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    if (!this.#scale) return { x, y, time: 0, plot: false };
    const time = this.#scale.time(x);
    const slack = SLACK * this.#scale.perPixel;
    const inBody = event.currentTarget === this.body;
    const run = inBody ? runAtPlace(this.#layout.bands, y, time, slack, this.#moment) : undefined;
    return { x, y: y + AXIS - this.#size.top, time, run, plot: x >= this.#scale.left - LEFT };
  }

  #reveal(run) {
    const band = bandOf(this.#layout.bands, run);
    if (!band) return;
    this.#size.top = this.#listbox.reveal(barTop(band, run.row), band.bar);
  }

  #all() {
    return extent(this.#moment.timeline, this.#moment.time);
  }

  #zoomed(change) {
    if (this.#scale) change(this.#all());
    this.#later();
  }

  #scrolled() {
    const { scrollTop } = this.#listbox.element;
    if (scrollTop !== this.#size.top) this.#tip.point(null);
    this.#size.top = scrollTop;
    this.#later();
  }

  #resized() {
    const { scrollTop, clientHeight } = this.#listbox.element;
    this.#size = { width: this.body.clientWidth, height: clientHeight, top: scrollTop };
    this.narrow = this.element.clientWidth < NARROW;
    this.element.classList.toggle("lanes-narrow", this.narrow);
    this.#later();
  }

  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#moment && this.#size.width) this.#draw();
    });
  }
}
