/** What a layer is made of: boxes, outlines, persons, objects or classes, in one shape for lists, hits and colours. */

import { patchesOf } from "./labels.js";
import { hexOf, rgbOf, rgbOfHex } from "./palette.js";

/** @typedef {import("./store.js").Layer} Layer */

/**
 * @typedef {object} Item
 * @property {string} label In the model's words; "" for persons and for a mask without a name.
 * @property {[number, number, number, number] | null} xyxy Left, top, right, bottom; null where it has no place.
 * @property {number | null} score
 * @property {number | null} area Pixels of its mask, where it has one.
 * @property {number | null} share Of the picture, for classes.
 */

/** @type {WeakMap<import("./store.js").Result, Item[]>} */
const known = new WeakMap();

/**
 * @param {Layer} layer
 * @returns {Item[]} In the order of the answer.
 */
export function itemsOf(layer) {
  let items = known.get(layer.result);
  if (!items) {
    items = listed(layer);
    known.set(layer.result, items);
  }
  return items;
}

/**
 * @param {Layer} layer
 * @returns {Item[]}
 */
function listed(layer) {
  const { result } = layer;
  switch (layer.kind) {
    case "boxes":
      return result.boxes.map((/** @type {any} */ box) => itemOf(box.label, box.xyxy, box.score));
    case "polygons":
      return result.polygons.map((/** @type {any} */ one) => itemOf(one.label, extentOf(one.parts), one.score));
    case "poses":
      return result.persons.map((/** @type {any} */ person) => itemOf("", person.xyxy, person.score));
    case "mask":
      return [{ ...itemOf("", result.xyxy, result.score), area: result.area }];
    case "instances":
      return result.instances.map((/** @type {any} */ one, /** @type {number} */ i) => ({
        ...itemOf(one.label, one.xyxy, one.score),
        area: patchesOf(layer)[i]?.area ?? null,
      }));
    case "labels":
      return result.classes.map((/** @type {string} */ name) => ({
        ...itemOf(name, null, result.scores?.[name]),
        share: result.shares[name],
      }));
    case "point":
      return [itemOf(result.action, [...result.xy, ...result.xy], null)];
    case "depth":
      return [];
  }
}

/**
 * @param {string} label
 * @param {number[] | null} xyxy
 * @param {number | null | undefined} score
 * @returns {Item}
 */
function itemOf(label, xyxy, score) {
  const isWhole = xyxy?.length === 4 && xyxy.every(Number.isFinite);
  const place = isWhole ? /** @type {[number, number, number, number]} */ (xyxy) : null;
  return { label, xyxy: place, score: score ?? null, area: null, share: null };
}

/**
 * @param {[number, number][][]} rings
 * @returns {number[] | null}
 */
function extentOf(rings) {
  const points = rings.flat();
  if (!points.length) return null;
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/**
 * @param {Layer} layer
 * @param {number} index Of the item.
 * @returns {string} `#rrggbb`: the layer's colour for the first class, those that follow it for others.
 */
export function colourOf(layer, index) {
  if (layer.kind === "labels") return hexOf(index);
  const place = placeOf(layer, index);
  return place ? hexOf(place + startOf(layer)) : layer.colour;
}

/**
 * @param {Layer} layer
 * @param {number} index
 * @returns {number} Objects count one by one, boxes and outlines by their labels.
 */
function placeOf(layer, index) {
  if (layer.kind === "instances") return index;
  if (layer.kind !== "boxes" && layer.kind !== "polygons") return 0;
  const items = itemsOf(layer);
  return [...new Set(items.map((item) => item.label))].indexOf(items[index].label);
}

/** @type {Map<string, number>} Places of the first colours, by layer. */
const starts = new Map();

/** @param {Layer} layer */
function startOf(layer) {
  let start = starts.get(layer.key);
  if (start === undefined) {
    start = Array.from({ length: 7 }, (_, i) => hexOf(i)).indexOf(layer.colour);
    starts.set(layer.key, start < 0 ? 0 : start);
  }
  return start < 0 ? 0 : start;
}

/**
 * @param {Layer} layer
 * @param {number} index
 * @returns {import("./palette.js").Rgb}
 */
export function rgbOfItem(layer, index) {
  return layer.kind === "labels" ? rgbOf(index) : rgbOfHex(colourOf(layer, index));
}

/**
 * @param {Layer} layer
 * @returns {string} What `marked.card` is for its items.
 */
export function cardOf(layer) {
  return layer.card ?? layer.key;
}
