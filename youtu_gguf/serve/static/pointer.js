/** Mouse, pen and touch in the picture: pan, zoom, points, boxes and lines; and what is under the pointer. */

import { signal } from "./vendor/signals-core.js";
import { byKeys } from "./crosshair.js";
import { markAt } from "./hits.js";
import { drawn, gestures, hover, tool } from "./store.js";
import { intoPicture, isInPicture, panBy, toPicture, toStage, zoomBy } from "./view.js";

/** @typedef {import("./store.js").Point} Point */
/** @typedef {{kind: "box" | "line", from: Point, to: Point}} Rubber What is being drawn, in the picture. */

const DRAG_PX = 4;
const WHEEL_STEP = 0.0015; // of the logarithm of the zoom, for a pixel of the wheel
const LINE_PX = 16; // of a wheel that counts lines
const MOST_WHEEL_PX = 200;

/** The box or line that is being drawn. */
export const rubber = signal(/** @type {Rubber | null} */ (null));

/** Whether a draft mask is there: Shift then adds to it; without one it draws a line on a depth map. */
export const drafted = signal(false);

/** Whether the space bar is held, which pans. */
export const spaceHeld = signal(false);

/** The first end of a line whose second is still to come. */
let began = /** @type {Point | null} */ (null);

/**
 * Do what a click does with the tool at hand.
 *
 * @param {Point} at In the picture.
 * @param {import("./store.js").Held} held
 */
export function clickAt(at, held) {
  if (!isInPicture(at)) return;
  if (tool.value === "pick") gestures.point(at, held);
  if (tool.value !== "measure") return;
  if (began) {
    gestures.line(began, at);
    forget();
  } else {
    began = at;
    rubber.value = { kind: "line", from: at, to: at };
  }
}

/** @returns {boolean} Whether something was being drawn, which is now forgotten. */
export function forget() {
  const had = rubber.value !== null;
  began = null;
  rubber.value = null;
  return had;
}

/** @param {Point} to Where the pointer or the crosshair is: the second end of a line follows it. */
export function follow(to) {
  if (began && rubber.value) rubber.value = { ...rubber.value, to };
}

/** @param {HTMLElement} host The stage. */
export function listen(host) {
  /** @type {Map<number, Point>} Fingers or the mouse, on the stage. */
  const down = new Map();
  /** @type {"pan" | "draw" | "pinch" | null} */
  let doing = null;
  let start = { x: 0, y: 0 };
  let hasMoved = false;

  const at = (/** @type {MouseEvent} */ event) => {
    const { left, top } = host.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };

  const look = (/** @type {Point} */ point) => {
    const place = toPicture(point);
    byKeys.value = false;
    hover.value = isInPicture(place) ? place : null;
    markAt(hover.value);
    follow(intoPicture(place));
  };

  const begin = (/** @type {PointerEvent} */ event) => {
    if (event.target instanceof Element && event.target.closest("button, input, .pick-note")) return;
    down.set(event.pointerId, at(event));
    host.setPointerCapture(event.pointerId);
    start = at(event);
    hasMoved = false;
    if (down.size === 2) {
      doing = "pinch";
      if (!began) rubber.value = null;
    } else if (down.size === 1) {
      const pans = event.button === 1 || event.button === 2 || spaceHeld.value || tool.value === "pan";
      doing = pans ? "pan" : "draw";
    }
    if (event.button === 1) event.preventDefault(); // the browser's own scrolling
  };

  const move = (/** @type {PointerEvent} */ event) => {
    const before = down.get(event.pointerId);
    const now = at(event);
    if (!before || !doing) return look(now);
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    down.set(event.pointerId, now);
    hasMoved ||= Math.hypot(now.x - start.x, now.y - start.y) > DRAG_PX;
    if (doing === "pinch" && others[0]) return pinch(before, now, others[0]);
    if (doing === "pan") return panBy(now.x - before.x, now.y - before.y);
    if (hasMoved) stretch(event, now);
    look(now);
  };

  const stretch = (/** @type {PointerEvent} */ event, /** @type {Point} */ now) => {
    const isLine = tool.value === "measure" || (event.shiftKey && !drafted.value && drawn.value.some(isDepth));
    const [from, to] = [intoPicture(toPicture(start)), intoPicture(toPicture(now))];
    rubber.value = { kind: isLine ? "line" : "box", from, to };
  };

  const end = (/** @type {PointerEvent} */ event) => {
    if (!down.delete(event.pointerId)) return;
    const held = { shift: event.shiftKey, alt: event.altKey };
    const drawnNow = rubber.value;
    const was = doing;
    if (down.size) return; // a finger of two is still there
    doing = null;
    if (was !== "draw") return;
    if (!hasMoved) {
      look(at(event));
      clickAt(toPicture(at(event)), held);
    } else if (drawnNow) {
      forget();
      if (drawnNow.kind === "line") gestures.line(drawnNow.from, drawnNow.to);
      else gestures.box(...cornersOf(drawnNow), held);
    }
  };

  const cancel = (/** @type {PointerEvent} */ event) => {
    down.delete(event.pointerId);
    doing = null;
    forget();
  };

  const wheel = (/** @type {WheelEvent} */ event) => {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (!event.ctrlKey && (event.shiftKey || Math.abs(dx) > Math.abs(dy))) {
      panBy(-(event.shiftKey && !dx ? dy : dx), event.shiftKey ? 0 : -dy);
    } else {
      const pinched = event.ctrlKey ? 4 : 1; // a pinch on a trackpad comes in small steps
      zoomBy(Math.exp(-Math.max(-MOST_WHEEL_PX, Math.min(MOST_WHEEL_PX, dy)) * WHEEL_STEP * pinched), at(event));
    }
    look(at(event));
  };

  host.addEventListener("pointerdown", begin);
  host.addEventListener("pointermove", move);
  host.addEventListener("pointerup", end);
  host.addEventListener("pointercancel", cancel);
  host.addEventListener("pointerleave", () => {
    if (byKeys.value) return;
    hover.value = null;
    markAt(null);
  });
  host.addEventListener("wheel", wheel, { passive: false });
  host.addEventListener("contextmenu", (event) => event.preventDefault()); // the right button pans
}

/** @param {import("./store.js").Layer} layer */
function isDepth(layer) {
  return layer.kind === "depth";
}

/**
 * @param {Point} before Of the finger that moved.
 * @param {Point} now
 * @param {Point} other The finger that did not.
 */
function pinch(before, now, other) {
  const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
  const [length, was] = [Math.hypot(now.x - other.x, now.y - other.y), Math.hypot(before.x - other.x, before.y - other.y)];
  if (was > 0 && length > 0) zoomBy(length / was, middle);
}

/**
 * @param {Rubber} box
 * @returns {[Point, Point]} Its left top and right bottom corners.
 */
function cornersOf({ from, to }) {
  return [
    { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y) },
    { x: Math.max(from.x, to.x), y: Math.max(from.y, to.y) },
  ];
}

/** Have the space bar pan while it is held. */
export function watchSpace() {
  const isFree = (/** @type {KeyboardEvent} */ event) =>
    event.key === " " && !(event.target instanceof Element && event.target.closest("button, a, input, textarea, select, summary, dialog"));
  document.addEventListener("keydown", (event) => {
    if (!isFree(event) || !hover.value) return;
    spaceHeld.value = true;
    event.preventDefault(); // scrolling
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") spaceHeld.value = false;
  });
  addEventListener("blur", () => (spaceHeld.value = false));
}

/** @returns {Rubber | null} The box or line that is being drawn, on the stage. */
export function rubberOnStage() {
  return rubber.value && { ...rubber.value, from: toStage(rubber.value.from), to: toStage(rubber.value.to) };
}
