/** What is under a point of the picture. */

import { cardOf, itemsOf } from "./items.js";
import { holds, patchesOf } from "./labels.js";
import { drawn, marked } from "./store.js";
import { view } from "./view.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./store.js").Point} Point */

const TARGET_PX = 14;

/**
 * @param {Point} at
 * @returns {{layer: Layer, item: number}[]} Items of the layers that are drawn, the smallest first, the upper layers
 *   before the lower; label maps have none.
 */
export function itemsAt(at) {
  /** @type {{layer: Layer, item: number, size: number}[]} */
  const found = [];
  for (const layer of [...drawn.value].reverse()) {
    if (layer.kind === "labels" || layer.kind === "depth") continue;
    itemsOf(layer).forEach((_, item) => {
      if (isAt(layer, item, at)) found.push({ layer, item, size: sizeOf(layer, item) });
    });
  }
  return found.sort((one, other) => one.size - other.size);
}

/**
 * Mark the smallest item under a point, or none.
 *
 * @param {Point | null} at
 */
export function markAt(at) {
  const first = at && itemsAt(at)[0];
  const [card, item] = first ? [cardOf(first.layer), first.item] : [null, 0];
  const before = marked.value;
  if (card === null) {
    if (before) marked.value = null;
  } else if (before?.card !== card || before.item !== item) {
    marked.value = { card, item };
  }
}

/**
 * @param {Layer} layer
 * @param {number} item
 * @param {Point} at
 * @returns {boolean}
 */
function isAt(layer, item, { x, y }) {
  if ((layer.kind === "mask" || layer.kind === "instances") && patchesOf(layer)[item]) return holds(layer, item, x, y);
  if (layer.kind === "polygons") {
    return layer.result.polygons[item].parts.some((/** @type {[number, number][]} */ ring) => isInRing(ring, x, y));
  }
  const { xyxy } = itemsOf(layer)[item];
  if (!xyxy) return false;
  const reach = layer.kind === "point" ? TARGET_PX / view.value.scale : 0;
  const [left, top, right, bottom] = xyxy;
  return left - reach <= x && x < right + reach && top - reach <= y && y < bottom + reach;
}

/**
 * @param {Layer} layer
 * @param {number} item
 * @returns {number}
 */
function sizeOf(layer, item) {
  const { area, xyxy } = itemsOf(layer)[item];
  if (area) return area;
  return xyxy ? (xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]) : 0;
}

/**
 * @param {[number, number][]} ring
 * @param {number} x
 * @param {number} y
 * @returns {boolean} By the crossings of a ray to the right.
 */
function isInRing(ring, x, y) {
  let inside = false;
  let [lastX, lastY] = ring[ring.length - 1];
  for (const [nextX, nextY] of ring) {
    if (nextY > y !== lastY > y && x < ((lastX - nextX) * (y - nextY)) / (lastY - nextY) + nextX) inside = !inside;
    [lastX, lastY] = [nextX, nextY];
  }
  return inside;
}
