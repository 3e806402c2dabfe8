/** The pointer of those who use the keyboard: arrows move it by a pixel of the picture, with Shift by ten. */

import { signal } from "./vendor/signals-core.js";
import { shortcut } from "./keys.js";
import { hover, screen } from "./store.js";
import { height, isInPicture, reveal, width } from "./view.js";
import { words } from "./words.js";

const t = words({
  left: ["Move the crosshair to the left; with Shift by 10 pixels", "十字线左移；按住 Shift 移动 10 像素"],
  right: ["Move the crosshair to the right", "十字线右移"],
  up: ["Move the crosshair up", "十字线上移"],
  down: ["Move the crosshair down", "十字线下移"],
});

const FAR_PX = 10;

/** Whether `hover` is where the arrow keys moved it, and not the pointer. */
export const byKeys = signal(false);

/** @returns {boolean} Whether keys are for the picture now, and not for a panel that scrolls. */
export function isPictureInFocus() {
  const focused = document.activeElement;
  return screen.value === "work" && width.value > 0 && !focused?.closest(".panel, #ask, #head, #exporting, dialog");
}

/**
 * Have the arrow keys move the crosshair.
 *
 * @param {(at: import("./store.js").Point) => void} onMove
 */
export function watchArrows(onMove) {
  const arrow = (/** @type {"left" | "right" | "up" | "down"} */ name, /** @type {number} */ dx, /** @type {number} */ dy) => {
    const key = `Arrow${name[0].toUpperCase()}${name.slice(1)}`;
    const run = (/** @type {KeyboardEvent} */ event) => onMove(moved(dx, dy, event.shiftKey ? FAR_PX : 1));
    shortcut(key, () => t(name), run, isPictureInFocus);
  };
  arrow("left", -1, 0);
  arrow("right", 1, 0);
  arrow("up", 0, -1);
  arrow("down", 0, 1);
}

/**
 * @param {number} dx
 * @param {number} dy
 * @param {number} step
 * @returns {import("./store.js").Point} Middle of the pixel where it is now.
 */
function moved(dx, dy, step) {
  const from = hover.value ?? { x: width.value / 2, y: height.value / 2 };
  const middle = (/** @type {number} */ value, /** @type {number} */ size) =>
    Math.min(Math.max(0, Math.floor(value)), size - 1) + 0.5;
  const at = { x: middle(from.x + dx * step, width.value), y: middle(from.y + dy * step, height.value) };
  byKeys.value = true;
  hover.value = isInPicture(at) ? at : from;
  reveal(at);
  return at;
}
