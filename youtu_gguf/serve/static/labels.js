/** The pixels of masks, objects and label maps: loaded once per layer, dropped with it. */

import { send } from "./api.js";
import { isInside, patchOfRle, whole } from "./patches.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./patches.js").Patch} Patch */
/** @typedef {{ids: Uint16Array, width: number, height: number, background: number}} Ids */

const MOST_IN_8_BITS = 254; // classes; a canvas gives 8 bits of a PNG file exactly, and loses those beyond
const STRIP_ROWS = 512; // read at once, which bounds the memory

/** @type {WeakMap<import("./store.js").Result, Ids>} */
const maps = new WeakMap();

/** @type {WeakMap<import("./store.js").Result, Patch[]>} */
const patches = new WeakMap();

/**
 * Load what a layer's painting needs.
 *
 * @param {Layer} layer
 * @throws {import("./api.js").ApiFailure} The server has forgotten the result, or cannot be reached.
 */
export async function loadPixels(layer) {
  if (layer.kind === "labels" && !maps.has(layer.result)) maps.set(layer.result, await idsOfResult(layer.result));
  if (layer.kind === "mask" || layer.kind === "instances") patchesOf(layer);
}

/**
 * @param {Layer} layer
 * @returns {Ids | null} The class of each pixel of a label map, row by row; null until they are there.
 */
export function idsOf(layer) {
  return maps.get(layer.result) ?? null;
}

/**
 * @param {Layer} layer Of kind "mask" or "instances".
 * @returns {Patch[]} The mask of each item; none where the answer came without.
 */
export function patchesOf(layer) {
  let found = patches.get(layer.result);
  if (!found) {
    const items = layer.kind === "mask" ? [layer.result] : (layer.result.instances ?? []);
    found = items.filter((/** @type {any} */ item) => item.mask).map((/** @type {any} */ item) => patchOfRle(item.mask));
    patches.set(layer.result, found ?? []);
  }
  return found ?? [];
}

/**
 * @param {Layer} layer
 * @param {number} item Index of an object; of a class in a label map.
 * @returns {{bits: Uint8Array, width: number, height: number}} 1 inside, row by row, over the whole picture.
 */
export function maskOf(layer, item) {
  const map = idsOf(layer);
  if (map) return { bits: Uint8Array.from(map.ids, (id) => Number(id === item)), width: map.width, height: map.height };
  const [width, height] = layer.result.size;
  const patch = patchesOf(layer)[item];
  return { bits: patch ? whole(patch, width, height) : new Uint8Array(width * height), width, height };
}

/**
 * @param {Layer} layer
 * @param {number} item
 * @param {number} x
 * @param {number} y
 * @returns {boolean} Whether a pixel belongs to an object's mask, or to a class.
 */
export function holds(layer, item, x, y) {
  const map = idsOf(layer);
  if (!map) return isInside(patchesOf(layer)[item], x, y);
  const inPicture = x >= 0 && y >= 0 && x < map.width && y < map.height;
  return inPicture && map.ids[Math.floor(y) * map.width + Math.floor(x)] === item;
}

/**
 * @param {import("./store.js").Result} result A label map.
 * @returns {Promise<Ids>}
 */
async function idsOfResult(result) {
  const [width, height] = result.size;
  if (result.map?.png && result.map.background === 255) {
    const png = Uint8Array.from(atob(result.map.png), (character) => character.charCodeAt(0));
    return { ids: await levelsOf(new Blob([png], { type: "image/png" })), width, height, background: 255 };
  }
  if (result.classes.length > MOST_IN_8_BITS) {
    const answer = await send("GET", `/v1/results/${result.id}?as=raw`);
    const numbers = new Int32Array(await answer.arrayBuffer());
    return { ids: Uint16Array.from(numbers), width, height, background: 65535 }; // -1 wraps round
  }
  const answer = await send("GET", `/v1/results/${result.id}?as=png`);
  const levels = await levelsOf(await answer.blob());
  return { ids: levels, width, height, background: 255 };
}

/**
 * @param {Blob} png Grey, 8 bits.
 * @returns {Promise<Uint16Array>}
 */
async function levelsOf(png) {
  const bitmap = await createImageBitmap(png, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, Math.min(STRIP_ROWS, height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("the browser has no canvas");
  const levels = new Uint16Array(width * height);
  for (let top = 0; top < height; top += STRIP_ROWS) {
    const rows = Math.min(STRIP_ROWS, height - top);
    context.drawImage(bitmap, 0, top, width, rows, 0, 0, width, rows);
    const { data } = context.getImageData(0, 0, width, rows);
    for (let i = 0, at = top * width; i < data.length; i += 4, at += 1) levels[at] = data[i];
  }
  bitmap.close();
  return levels;
}
