/** What pointer and keys do to the lanes. */

const FAR = 4;
const ZOOM_STEP = 1.5;
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
const MOVES = new Set([...ARROWS, "Home", "End", "PageUp", "PageDown"]);

/**
 * Dragging seeks, a click seeks or opens a run, the wheel zooms.
 * @param {HTMLElement} area where it listens
 * @param {{place: (event: PointerEvent) => {x: number, y: number, time: number, run?: object, plot: boolean},
 *   seek: (time: number) => void, open: (run: object) => void, hover: (place: object | null) => void,
 *   zoom: (factor: number, time: number) => void, pan: (pixels: number) => void, fit: () => void}} act
 */
export function listenToPointer(area, act) {
  let down = null;
  const on = (kind, listen, options) => area.addEventListener(kind, listen, options);
  on("pointerdown", (event) => {
    const place = act.place(event);
    if (event.button !== 0 || !place.plot) return;
    down = { ...place, dragged: false };
    area.setPointerCapture(event.pointerId);
    if (!place.run && event.pointerType === "mouse") act.seek(place.time);
  });
  on("pointermove", (event) => {
    const place = act.place(event);
    if (!down) return act.hover(place.run && event.pointerType === "mouse" ? place : null);
    down.dragged ||= Math.abs(place.x - down.x) > FAR;
    if (down.dragged) act.seek(place.time);
  });
  on("pointerup", (event) => {
    if (down && !down.dragged && down.run) act.open(down.run);
    else if (down && event.pointerType !== "mouse") act.seek(act.place(event).time);
    down = null;
  });
  on("pointercancel", () => (down = null));
  on("pointerleave", () => act.hover(null));
  on("dblclick", (event) => act.place(event).run || act.fit());
  on("wheel", (event) => turnWheel(event, act), { passive: false });
}

function turnWheel(event, act) {
  const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
  if (event.ctrlKey) act.zoom(ZOOM_STEP ** (event.deltaY / 100), act.place(event).time);
  else if (sideways && Math.abs(sideways) >= Math.abs(event.shiftKey ? 0 : event.deltaY)) act.pan(sideways);
  else return;
  event.preventDefault();
}

/**
 * Arrow keys go from run to run, Enter opens, plus and minus zoom.
 * @param {HTMLElement} area that has the focus
 * @param {{move: (key: string) => void, open: () => void, hover: (place: null) => void,
 *   zoom: (factor: number) => void, fit: () => void}} act
 */
export function listenToKeys(area, act) {
  const keys = {
    Enter: act.open,
    " ": act.open,
    Escape: () => act.hover(null),
    "+": () => act.zoom(1 / ZOOM_STEP),
    "=": () => act.zoom(1 / ZOOM_STEP),
    "-": () => act.zoom(ZOOM_STEP),
    0: act.fit,
  };
  area.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const does = MOVES.has(event.key) ? () => act.move(event.key) : keys[event.key];
    if (!does) return;
    does();
    event.preventDefault();
    event.stopPropagation();
  });
}
