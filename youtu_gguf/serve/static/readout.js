/** What is under the pointer or the crosshair, in one line. */

import { send } from "./api.js";
import { byKeys } from "./crosshair.js";
import { currentDepth, depthOf, told } from "./depth.js";
import { itemsAt } from "./hits.js";
import { idsOf } from "./labels.js";
import { pixelDistance } from "./space.js";
import { drawn, hover, layers } from "./store.js";
import { html } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./store.js").Point} Point */

const t = words({
  hint: ["Point at the picture, or move the crosshair with the arrow keys.", "将指针移到图像上，或用方向键移动十字线。"],
  nothing: ["no distance", "无距离"],
  background: ["background", "背景"],
  margin: ["(margin {margin})", "（差距 {margin}）"],
  person: ["person", "人"],
});

/** Kinds of which the layer's name says more than the item. */
const BY_NAME = ["mask", "point"];

/** How long the crosshair must rest before it is read aloud. */
const REST_MS = 300;

// Kept outside of templates: at every move only the text in them changes.
const line = document.createElement("span");
line.className = "number";
line.translate = false;
const spoken = document.createElement("span");
spoken.className = "unseen";
spoken.setAttribute("aria-live", "polite");
spoken.translate = false;

/** @returns {unknown} */
export function readout() {
  return html`<p class="readout">${line}${spoken}</p>`;
}

/** @type {number | undefined} */
let resting;

effect(() => {
  const at = hover.value;
  const text = at ? textAt(at) : t("hint");
  line.textContent = text;
  line.classList.toggle("dim", !at);
  clearTimeout(resting);
  if (at && byKeys.value) resting = setTimeout(() => (spoken.textContent = text), REST_MS);
});

/**
 * @param {Point} at
 * @returns {string} The pixel and what is there, by the uppermost depth and label maps, also hidden ones, and by what is
 *   drawn: `120, 80 · 3.42 m · chair (margin 0.31) · mask 2`.
 */
export function textAt(at) {
  const [depth, labels] = [currentDepth(), currentLabels()];
  const found = [
    `${Math.floor(at.x)}, ${Math.floor(at.y)}`,
    depth && distanceIn(depth, at),
    labels && classIn(labels, at),
    ...itemsAt(at).map(({ layer, item }) => nameOf(layer, item)),
  ];
  return found.filter(Boolean).join(" · ");
}

/** @returns {Layer | null} The uppermost label map, one that is drawn if there is any. */
function currentLabels() {
  const isLabels = (/** @type {Layer} */ layer) => layer.kind === "labels";
  return drawn.value.findLast(isLabels) ?? layers.value.findLast(isLabels) ?? null;
}

/**
 * @param {Layer} layer
 * @param {Point} at
 */
function distanceIn(layer, at) {
  const depth = depthOf(layer);
  const z = depth && pixelDistance(depth, at);
  return depth && (z === null ? t("nothing") : told(z, depth.unit));
}

/**
 * @param {Layer} layer
 * @param {Point} at
 */
function classIn(layer, at) {
  const labels = idsOf(layer);
  if (!labels || !(at.x >= 0 && at.y >= 0 && at.x < labels.width && at.y < labels.height)) return "";
  const pixel = Math.floor(at.y) * labels.width + Math.floor(at.x);
  const id = labels.ids[pixel];
  if (id === labels.background) return t("background");
  const margin = marginsOf(layer)?.[pixel];
  const name = layer.result.classes[id] ?? "";
  return margin === undefined ? name : `${name} ${t("margin", { margin: margin.toFixed(2) })}`;
}

/**
 * @param {Layer} layer
 * @param {number} item
 */
function nameOf({ kind, name, result }, item) {
  if (BY_NAME.includes(kind)) return name;
  const items = result.boxes ?? result.polygons ?? result.persons ?? result.instances ?? [];
  const { label = t("person"), score = null } = items[item] ?? {};
  const named = kind === "instances" ? `${label} ${item + 1}` : label;
  return score === null ? named : `${named} ${score.toFixed(2)}`;
}

/** Margins of label maps by the result's id; null while they are fetched, and where there are none. */
const margins = signal(/** @type {ReadonlyMap<string, Float32Array | null>} */ (new Map()));

/**
 * @param {Layer} layer
 * @returns {Float32Array | null | undefined}
 */
function marginsOf({ result }) {
  if (!margins.value.has(result.id) && result.margin) void fetchMargins(result.id);
  return margins.value.get(result.id);
}

/** @param {string} id */
async function fetchMargins(id) {
  keepMargins(id, null);
  try {
    const answer = await send("GET", `/v1/results/${id}?as=margin`);
    keepMargins(id, new Float32Array(await answer.arrayBuffer()));
  } catch {
    // the server has forgotten the result; the class is known without its margin
  }
}

/**
 * @param {string} id
 * @param {Float32Array | null} values
 */
function keepMargins(id, values) {
  const present = new Set(layers.peek().map((layer) => layer.result.id));
  margins.value = new Map([...[...margins.peek()].filter(([known]) => present.has(known)), [id, values]]);
}
