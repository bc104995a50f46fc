/** Making nodes. Text goes in as text nodes only, so nothing that an event holds is ever read as markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 * @param {string} tag
 * @param {Record<string, unknown>} [props] attributes by name; `class`, `text` (its text), `on` (listeners by
 *   event name), `data` (data attributes). False, null and undefined leave an attribute out, true sets it empty.
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * An SVG element; arguments as of `el`.
 * @returns {SVGElement}
 */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/**
 * An icon of those in index.html, which are there when no pod is; hidden from assistive technology, for the word
 * beside it tells.
 * @param {string} name a symbol's id, without `i-`
 */
export function icon(name) {
  const use = svg("use", { href: `#i-${name}` });
  return svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, use);
}

/** Set attributes, listeners and text as `el` does. */
export function set(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value ?? "";
    else if (name === "on") Object.entries(value).forEach(([kind, listen]) => node.addEventListener(kind, listen));
    else if (name === "data") Object.assign(node.dataset, value);
    else if (value === false || value === null || value === undefined) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  return node;
}

/** Set a node's text if it differs: an unchanged one costs no layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Copy text; gives whether it worked (a page without HTTPS has no clipboard but the old command). */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const box = el("textarea", { class: "offscreen", "aria-hidden": "true" });
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  return done;
}

function fill(node, props, children) {
  set(node, props);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
