/** What is drawn, in words: a list for those who do not see the picture, and for those who want the numbers. */

import { html } from "./vendor/lit-html.js";
import { currentDepth, depthOf, told } from "./depth.js";
import { cardOf, itemsOf } from "./items.js";
import { holds, patchesOf } from "./labels.js";
import { percent } from "./legend.js";
import { nameOf } from "./names.js";
import { pixelDistance } from "./space.js";
import { marked } from "./store.js";
import { words } from "./words.js";

const t = words({
  person: ["person", "人"],
  place: ["left {left} top {top} right {right} bottom {bottom}", "左 {left} 上 {top} 右 {right} 下 {bottom}"],
  at: ["at {left}, {top}", "位于 {left}, {top}"],
  area: ["{n} pixels", "{n} 像素"],
  score: ["score {n}", "得分 {n}"],
  joints: ["{n} joints", "{n} 个关节"],
  span: ["from {min} to {max}, half of it nearer than {median}", "{min} 至 {max}，一半近于 {median}"],
});

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./items.js").Item} Item */

const SAMPLES = 15; // across and down, of an item's distance
const SHARE_OF_BOX = 0.5; // the middle of a box is likelier to be the thing than its corners

/**
 * @param {Layer} layer
 * @returns {unknown} A list of its items; pointing at a row marks the item in the picture.
 */
export function textTwin(layer) {
  if (layer.kind === "depth") return html`<p class="twin-words">${spanOf(layer)}</p>`;
  return html`<ul class="twin">${itemsOf(layer).map((item, i) => row(layer, item, i))}</ul>`;
}

/**
 * @param {Layer} layer
 * @param {Item} item
 * @param {number} i
 */
function row(layer, item, i) {
  const card = cardOf(layer);
  const isMarked = marked.value?.card === card && marked.value.item === i;
  const mark = () => (marked.value = { card, item: i });
  const unmark = () => (marked.value = null);
  return html`<li>
    <button type="button" class=${isMarked ? "twin-row marked" : "twin-row"} aria-pressed=${isMarked} @click=${mark}
      @pointerenter=${mark} @pointerleave=${unmark} @focus=${mark} @blur=${unmark}>${wordsOf(layer, item, i)}</button>
  </li>`;
}

/**
 * @param {Layer} layer
 * @param {Item} item
 * @param {number} i
 * @returns {string} Such as "chair, left 120 top 80 right 300 bottom 260, score 0.91, 3.4 m".
 */
export function wordsOf(layer, item, i) {
  const name = item.label || (layer.kind === "poses" ? t("person") : nameOf(layer));
  return [name, place(layer, item), ...numbers(layer, item, i), distance(layer, item, i)].filter(Boolean).join(", ");
}

/**
 * @param {Layer} layer
 * @param {Item} item
 */
function place(layer, item) {
  if (!item.xyxy) return "";
  const [left, top, right, bottom] = item.xyxy.map(Math.round);
  return layer.kind === "point" ? t("at", { left, top }) : t("place", { left, top, right, bottom });
}

/**
 * @param {Layer} layer
 * @param {Item} item
 * @param {number} i
 */
function numbers(layer, item, i) {
  const joints = layer.kind === "poses" ? layer.result.persons[i].xyv.filter((/** @type {any} */ one) => one[2] !== 0).length : null;
  return [
    joints === null ? "" : t("joints", { n: joints }),
    item.share === null ? "" : percent(item.share),
    item.area === null ? "" : t("area", { n: item.area.toLocaleString() }),
    item.score === null ? "" : t("score", { n: item.score.toFixed(2) }),
  ];
}

/**
 * @param {Layer} layer
 * @param {Item} item
 * @param {number} i
 * @returns {string} The median distance of an item, by the depth map that is there; "" without one.
 */
function distance(layer, item, i) {
  const map = currentDepth();
  const depth = map && depthOf(map);
  if (!depth || !item.xyxy) return "";
  const hasMask = patchesIn(layer, i);
  const found = [];
  for (const [x, y] of grid(item.xyxy, hasMask ? 1 : SHARE_OF_BOX)) {
    if (hasMask && !holds(layer, i, x, y)) continue;
    const value = pixelDistance(depth, { x, y });
    if (value) found.push(value);
  }
  if (!found.length) return "";
  const median = found.sort((one, other) => one - other)[found.length >> 1];
  return told(median, depth.unit);
}

/**
 * @param {Layer} layer
 * @param {number} i
 */
function patchesIn(layer, i) {
  return (layer.kind === "mask" || layer.kind === "instances") && patchesOf(layer)[i]?.area > 0;
}

/**
 * @param {[number, number, number, number]} xyxy
 * @param {number} share Of its sides.
 */
function* grid([left, top, right, bottom], share) {
  const [across, down] = [(right - left) * share, (bottom - top) * share];
  const [x0, y0] = [(left + right - across) / 2, (top + bottom - down) / 2];
  for (let row = 0; row < SAMPLES; row += 1) {
    for (let column = 0; column < SAMPLES; column += 1) {
      yield [x0 + (across * (column + 0.5)) / SAMPLES, y0 + (down * (row + 0.5)) / SAMPLES];
    }
  }
}

/** @param {Layer} layer A depth map. */
function spanOf({ result }) {
  const number = (/** @type {number | null} */ value) => (value === null ? "–" : told(value, result.unit));
  return t("span", { min: number(result.min), max: number(result.max), median: number(result.median) });
}
