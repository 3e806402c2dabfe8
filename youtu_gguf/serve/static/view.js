/** Which part of the picture is seen, and how large: the picture's pixel x is at x * scale + view.x on the stage. */

import { computed, signal } from "./vendor/signals-core.js";
import { picture } from "./store.js";

/** @typedef {{scale: number, x: number, y: number}} View Lengths are CSS pixels. */
/** @typedef {import("./store.js").Point} Point */

const LARGEST = 64;
const SMALLEST_OF_FIT = 0.5;
const MARGIN_PX = 8;
const LEAST_SEEN_PX = 48;

/** The size of the picture in its own pixels, 0 until it is known, and its pixels: these change less often than it does. */
export const width = computed(() => picture.value?.width ?? 0);
export const height = computed(() => picture.value?.height ?? 0);
export const bitmap = computed(() => picture.value?.bitmap ?? null);

/** What is seen. */
export const view = signal(/** @type {View} */ ({ scale: 1, x: 0, y: 0 }));

/** Size of the element that shows the picture, in CSS pixels. */
export const stage = signal({ width: 0, height: 0 });

/** Whether the whole picture is shown, also after the window has changed. */
export const fitted = signal(true);

/** @returns {number} The scale at which the whole picture is seen. */
function fitScale() {
  if (!width.value || !height.value) return 1;
  const room = { width: stage.value.width - 2 * MARGIN_PX, height: stage.value.height - 2 * MARGIN_PX };
  return Math.max(1e-4, Math.min(room.width / width.value, room.height / height.value));
}

/** Show the whole picture. */
export function fit() {
  const scale = fitScale();
  fitted.value = true;
  const middle = (/** @type {number} */ room, /** @type {number} */ size) => (room - size * scale) / 2;
  view.value = { scale, x: middle(stage.value.width, width.value), y: middle(stage.value.height, height.value) };
}

/**
 * @param {View} wanted
 * @returns {View} The nearest that still has a piece of the picture in it.
 */
function kept({ scale, x, y }) {
  const within = (/** @type {number} */ value, /** @type {number} */ size, /** @type {number} */ room) =>
    Math.max(Math.min(LEAST_SEEN_PX, room / 2) - size * scale, Math.min(room - Math.min(LEAST_SEEN_PX, room / 2), value));
  return { scale, x: within(x, width.value, stage.value.width), y: within(y, height.value, stage.value.height) };
}

/**
 * @param {number} factor
 * @param {Point} [at] Stays where it is on the stage; its middle if absent.
 */
export function zoomBy(factor, at = middle()) {
  zoomTo(view.value.scale * factor, at);
}

/**
 * @param {number} wanted CSS pixels for a pixel of the picture.
 * @param {Point} [at]
 */
export function zoomTo(wanted, at = middle()) {
  const scale = Math.min(LARGEST, Math.max(Math.min(1, fitScale()) * SMALLEST_OF_FIT, wanted));
  const { x, y } = toPicture(at);
  fitted.value = false;
  view.value = kept({ scale, x: at.x - x * scale, y: at.y - y * scale });
}

/**
 * @param {number} dx CSS pixels.
 * @param {number} dy
 */
export function panBy(dx, dy) {
  fitted.value = false;
  view.value = kept({ ...view.value, x: view.value.x + dx, y: view.value.y + dy });
}

/** @returns {Point} */
function middle() {
  return { x: stage.value.width / 2, y: stage.value.height / 2 };
}

/**
 * @param {Point} at On the stage.
 * @returns {Point} In the picture.
 */
export function toPicture({ x, y }) {
  return { x: (x - view.value.x) / view.value.scale, y: (y - view.value.y) / view.value.scale };
}

/**
 * @param {Point} at In the picture.
 * @returns {Point} On the stage.
 */
export function toStage({ x, y }) {
  return { x: x * view.value.scale + view.value.x, y: y * view.value.scale + view.value.y };
}

/**
 * @param {Point} at
 * @returns {boolean} Whether it is in the picture.
 */
export function isInPicture({ x, y }) {
  return x >= 0 && y >= 0 && x < width.value && y < height.value;
}

/**
 * @param {Point} at
 * @returns {Point} The nearest in the picture.
 */
export function intoPicture({ x, y }) {
  return { x: Math.min(Math.max(0, x), width.value), y: Math.min(Math.max(0, y), height.value) };
}

/**
 * Move the view so that a point of the picture is seen.
 *
 * @param {Point} at
 */
export function reveal(at) {
  const margin = 24;
  const { x, y } = toStage(at);
  const shift = (/** @type {number} */ value, /** @type {number} */ room) =>
    value < margin ? margin - value : Math.min(0, room - margin - value);
  const [dx, dy] = [shift(x, stage.value.width), shift(y, stage.value.height)];
  if (dx || dy) panBy(dx, dy);
}
