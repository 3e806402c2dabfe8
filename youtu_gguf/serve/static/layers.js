/** The layers: made when an answer comes, listed from the top to the bottom, each with its items in words. */

import { html } from "./vendor/lit-html.js";
import { batch } from "./vendor/signals-core.js";
import { loadDepth } from "./depth.js";
import { loadPixels } from "./labels.js";
import { layerRow } from "./layer-row.js";
import { noteOrigin } from "./names.js";
import { hexOf } from "./palette.js";
import { layers, marked, newKey, picture, screen, solo } from "./store.js";
import { shortcut } from "./keys.js";
import { words } from "./words.js";

export { textTwin } from "./twins.js";

const t = words({
  none: ["What the answers show in the picture is listed here.", "回答在图像中显示的内容会列在这里。"],
  focus: ["Go to the layers", "转到图层"],
});

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./store.js").LayerKind} LayerKind */

export const OPACITY = { boxes: 1, polygons: 1, poses: 1, point: 1, mask: 0.45, instances: 0.45, labels: 0.55, depth: 0.85 };

let made = 0;
let masks = 0;

/**
 * @param {import("./store.js").Result} result
 * @returns {LayerKind | null} null where there is nothing to draw.
 */
export function kindOf(result) {
  switch (result.type) {
    case "Boxes":
    case "Count":
      return result.boxes?.length ? "boxes" : null;
    case "Polygons":
      return result.polygons.length ? "polygons" : null;
    case "Poses":
      return result.persons.length ? "poses" : null;
    case "Mask":
      return result.area ? "mask" : null;
    case "Instances":
      return result.instances.length ? "instances" : null;
    case "LabelMap":
      return "labels";
    case "DepthMap":
      return "depth";
    case "Action":
      return result.xy ? "point" : null;
  }
  return null;
}

/**
 * Draw the result of a card, instead of an earlier one of it. Nothing happens where there is nothing to draw, or where
 * another picture is shown by then.
 *
 * @param {import("./store.js").Card} card
 * @throws {import("./api.js").ApiFailure} The pixels of the result cannot be had.
 */
export async function addLayer(card) {
  const { result } = card;
  const kind = result && kindOf(result);
  if (!result || !kind) return dropLayers(card.key);
  const shown = picture.value?.file;
  const layer = layerOf(kind, result, card.key, card.question);
  await loadPixels(layer);
  if (kind === "depth") await loadDepth(layer);
  if (picture.value?.file !== shown) return;
  batch(() => {
    dropLayers(card.key);
    show(layer);
  });
}

/**
 * Keep a mask that was put together by hand.
 *
 * @param {import("./store.js").Result} result
 */
export function addMask(result) {
  if (!layers.value.some((layer) => layer.card === null)) masks = 0;
  masks += 1;
  show(layerOf("mask", result, null, masks));
}

/**
 * @param {LayerKind} kind
 * @param {import("./store.js").Result} result
 * @param {string | null} card
 * @param {import("./store.js").Question | number} origin
 * @returns {Layer}
 */
function layerOf(kind, result, card, origin) {
  made = layers.value.length ? made + 1 : 0;
  const key = newKey();
  noteOrigin(key, origin);
  return { key, card, name: "", kind, visible: true, opacity: OPACITY[kind], colour: hexOf(made % 7), result };
}

/** @param {Layer} layer Goes above the others; one that covers everything below those that do not, and instead of its like. */
function show(layer) {
  const covers = (/** @type {Layer} */ { kind }) => kind === "labels" || kind === "depth";
  if (!covers(layer)) {
    layers.value = [...layers.value, layer];
    return;
  }
  const others = layers.value.map((one) => (covers(one) ? { ...one, visible: false } : one)); // mixed, their colours mean nothing
  layers.value = others.toSpliced(others.findLastIndex(covers) + 1, 0, layer);
}

/** @param {string} cardKey Whose layers go. */
export function dropLayers(cardKey) {
  const left = layers.value.filter((layer) => layer.card !== cardKey);
  if (left.length === layers.value.length) return;
  batch(() => {
    if (!left.some((layer) => layer.key === solo.value)) solo.value = null;
    if (marked.value?.card === cardKey) marked.value = null;
    layers.value = left;
  });
}

shortcut(
  "l",
  () => t("focus"),
  () => {
    const first = /** @type {HTMLElement | null} */ (document.querySelector("#layers button"));
    first?.focus();
    first?.scrollIntoView({ block: "nearest" });
  },
  () => screen.value === "work" && layers.value.length > 0,
);

/** @returns {unknown} */
export function layersPanel() {
  if (!layers.value.length) return html`<p class="dim">${t("none")}</p>`;
  const list = [...layers.value].reverse();
  return html`<ul class="layer-list">${list.map((layer, i) => layerRow(layer, i, list.length))}</ul>`;
}
