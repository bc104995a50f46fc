/** A graph's drawing: laid out by its worker, drawn here, with its nodes marked as they stand. */

import { el, icon, set, setText, svg } from "../lib/dom.js";

/** @typedef {"running" | "succeeded" | "failed" | "waiting" | "void" | "cut"} NodeState */

const ARROW = 8; // pixels from an arrow's tip to its back
const ICONS = { running: "spinner", succeeded: "check", failed: "cross", waiting: "hand", void: "repeat", cut: "ban" };
const WORDS = { void: "to be done again", cut: "cut off" };
const LEAST_SCALE = 0.6; // a wider drawing is scrolled

/**
 * Draw a graph.
 * @param {any} graph as `GET /graphs/{name}` has it; one without `drawing` is shown in Mermaid's language
 * @returns {{element: HTMLElement, mark: (states: Map<string, NodeState | undefined>) => void}}
 *   `mark` shows how nodes stand, by name; one that isn't named has not run
 */
export function drawingView(graph) {
  const label = `Drawing of the graph ${graph.name}`;
  if (!graph.drawing?.nodes?.length) return { element: mermaidText(graph, label), mark() {} };
  const nodes = new Map((graph.nodes ?? []).map((node) => [node.id, node]));
  const drawn = graph.drawing.nodes.map((place) => new DrawnNode(place, nodes.get(place.id)));
  const picture = pictureOf(graph.drawing, drawn);
  const told = el("ul", { class: "offscreen" }, ...drawn.map((node) => node.tell(graph.edges ?? [], nodes)));
  const scroller = el("div", { class: "drawing-scroller" }, picture);
  let begun = false;
  const sized = () => {
    if (!begun) scroller.scrollLeft = (scroller.scrollWidth - scroller.clientWidth) / 2;
    begun ||= scroller.clientWidth > 0;
    set(scroller, scrolls(scroller, label));
  };
  new ResizeObserver(sized).observe(scroller);
  const element = el("figure", { class: "drawing", "aria-label": label }, scroller, told);
  return { element, mark: (states) => drawn.forEach((node) => node.mark(states.get(node.name))) };
}

/** What scrolls is reached by the keyboard, and so has a name. */
function scrolls({ scrollWidth, clientWidth, scrollHeight, clientHeight }, label) {
  const more = scrollWidth > clientWidth || scrollHeight > clientHeight;
  return { tabindex: more && "0", role: more && "group", "aria-label": more && `${label}, scrollable` };
}

function mermaidText({ mermaid }, label) {
  const text = mermaid || "This graph has no drawing.";
  const box = el("pre", { class: "drawing-text", tabindex: "0", role: "group", "aria-label": label, text });
  return el("figure", { class: "drawing", "aria-label": label }, box);
}

function pictureOf({ width, height, edges }, drawn) {
  const picture = svg("svg", { class: "drawing-picture", viewBox: `0 0 ${width} ${height}`, width, height });
  set(picture, { "aria-hidden": "true", focusable: "false" });
  picture.style.minWidth = `${Math.round(width * LEAST_SCALE)}px`;
  picture.append(...edges.map(edgeOf), ...drawn.map((node) => node.element));
  return picture;
}

class DrawnNode {
  #state;

  constructor({ id, x, y, width, height }, node) {
    const { name = id, kind = "node" } = node ?? {};
    Object.assign(this, { id, name });
    const pill = kind === "start" || kind === "end";
    const box = { x, y, width, height, rx: pill ? height / 2 : 7 };
    const inner = { x: x + 3, y: y + 3, width: width - 6, height: height - 6, rx: 5, class: "drawing-inner" };
    const text = { x: x + width / 2, y: y + height / 2, text: pill ? kind : name };
    this.badge = svg("g", { class: "drawing-badge", transform: `translate(${x + width} ${y})` });
    const shapes = [svg("rect", box), kind === "subgraph" && svg("rect", inner), svg("text", text)];
    this.element = svg("g", { class: `drawing-node drawing-${kind}` }, ...shapes, this.badge);
    this.said = el("span");
  }

  /** Show how it stands. */
  mark(state) {
    if (state === this.#state) return;
    this.#state = state;
    set(this.element, { "data-state": state });
    setText(this.said, state ? `, ${WORDS[state] ?? state}` : "");
    this.badge.replaceChildren(...(state ? [svg("circle", { r: 9 }), badgeIcon(state)] : []));
  }

  /** The node in words. */
  tell(edges, nodes) {
    const nameOf = (id) => nodes.get(id)?.name ?? id;
    const next = edges
      .filter((edge) => edge.source === this.id)
      .map((edge) => nameOf(edge.target) + (edge.conditional ? " if chosen" : ""));
    return el("li", {}, this.name, this.said, next.length ? `, then ${next.join(", or ")}` : "");
  }
}

function badgeIcon(state) {
  return set(icon(ICONS[state]), { x: -6, y: -6, width: 12, height: 12, class: "icon drawing-icon" });
}

/** A line through the points that bends smoothly, with an arrow at its end. */
function edgeOf({ points, conditional }) {
  const [tip, before] = [points.at(-1), points.at(-2)];
  const middle = points.length === 2 ? [tip[0], (tip[1] + before[1]) / 2] : before;
  const [dx, dy] = [tip[0] - middle[0], tip[1] - middle[1]];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const back = [tip[0] - ux * ARROW, tip[1] - uy * ARROW];
  const side = (sign) => `${back[0] - (sign * uy * ARROW) / 2.2} ${back[1] + (sign * ux * ARROW) / 2.2}`;
  const line = svg("path", { d: pathOf([...points.slice(0, -1), back]) });
  const head = svg("path", { class: "drawing-arrow", d: `M${tip.join(" ")}L${side(1)}L${side(-1)}Z` });
  return svg("g", { class: `drawing-edge${conditional ? " drawing-conditional" : ""}` }, line, head);
}

function pathOf(points) {
  const [first, second] = points;
  if (points.length === 2) {
    const middle = (first[1] + second[1]) / 2;
    return `M${first.join(" ")}C${first[0]} ${middle} ${second[0]} ${middle} ${second.join(" ")}`;
  }
  const bends = points.slice(1, -2).map((point, index) => {
    const next = points[index + 2];
    return `Q${point.join(" ")} ${(point[0] + next[0]) / 2} ${(point[1] + next[1]) / 2}`;
  });
  return `M${first.join(" ")}${bends.join("")}Q${points.at(-2).join(" ")} ${points.at(-1).join(" ")}`;
}
