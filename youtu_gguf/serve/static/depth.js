/** Depth layers: their distances, fetched as float32, and how they look. */

import { ApiFailure, send } from "./api.js";
import { coloured, shrunk } from "./depth-colours.js";
import { spreadOf, threeDigits } from "./space.js";
import { changeLayer, drawn, layers } from "./store.js";
import { effect, signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

export { depthControls } from "./depth-controls.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./space.js").Depth} Depth */
/** @typedef {import("./space.js").Spread} Spread */
/** @typedef {import("./depth-colours.js").Look} Look */

const t = words({
  metres: ["{z} m", "{z} 米"],
  relative: ["{z} (relative)", "{z}（相对）"],
});

/** @typedef {{depth: Depth, spread: Spread | null, shrunk: import("./depth-colours.js").Shrunk}} Loaded */

/** @type {Map<string, Loaded>} By the result's id. */
const loaded = new Map();

/** @type {Map<string, {look: Look, canvas: HTMLCanvasElement}>} Coloured maps, by the result's id. */
const painted = new Map();

/** Looks that were chosen, by the result's id. */
const looks = signal(/** @type {ReadonlyMap<string, Look>} */ (new Map()));

/**
 * Fetch a depth layer's distances, unless they are here.
 *
 * @param {Layer} layer
 * @returns {Promise<void>}
 * @throws {ApiFailure} The server has them no more, or could not be reached.
 */
export async function loadDepth({ result }) {
  if (loaded.has(result.id)) return;
  const answer = await send("GET", `/v1/results/${result.id}?as=raw`);
  const [height, width] = (answer.headers.get("X-Shape") ?? "").split(",").map(Number);
  const bytes = await answer.arrayBuffer();
  if (!height || bytes.byteLength !== 4 * width * height) throw new ApiFailure(0, "unreachable", "the depth map is incomplete");
  const unit = answer.headers.get("X-Unit") === "m" ? "m" : "relative";
  /** @type {Depth} */
  const depth = { values: new Float32Array(bytes), width, height, unit, focalPx: result.focal_px ?? null };
  loaded.set(result.id, { depth, spread: spreadOf(depth), shrunk: shrunk(depth) });
}

/**
 * @param {Layer} layer
 * @returns {Depth | null} Its distances; null before they are loaded.
 */
export function depthOf({ result }) {
  return loaded.get(result.id)?.depth ?? null;
}

/**
 * @param {Layer} layer
 * @returns {Spread | null} null before they are loaded, and where no pixel has a distance.
 */
export function spreadOfLayer({ result }) {
  return loaded.get(result.id)?.spread ?? null;
}

/**
 * @param {Layer} layer
 * @returns {Look} What its colours stand for: at first the 1st and the 99th percentile, as in the package's drawings.
 */
export function lookOf(layer) {
  const chosen = looks.value.get(layer.result.id);
  if (chosen) return chosen;
  const spread = spreadOfLayer(layer);
  return { map: "turbo", near: spread?.near ?? 1, far: spread?.far ?? 1 };
}

/**
 * @param {Layer} layer
 * @param {Partial<Look> | null} patch null for the first look.
 */
export function changeLook(layer, patch) {
  const next = new Map(looks.value);
  if (patch) next.set(layer.result.id, { ...lookOf(layer), ...patch });
  else next.delete(layer.result.id);
  looks.value = next;
  changeLayer(layer.key, {}); // has the picture painted again
}

/**
 * Paint a depth layer's colours.
 *
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Layer} layer
 * @param {{scale: number, dx: number, dy: number}} frame From pixels of the picture to those of the canvas.
 * @param {Look} [look] What its colours stand for.
 */
export function paintDepth(context, layer, { scale, dx, dy }, look = lookOf(layer)) {
  const found = loaded.get(layer.result.id);
  if (!found) return;
  let ready = painted.get(layer.result.id);
  if (!ready || ready.look.map !== look.map || ready.look.near !== look.near || ready.look.far !== look.far) {
    ready = { look, canvas: coloured(found.shrunk, look) };
    painted.set(layer.result.id, ready);
  }
  const { step, width, height } = found.shrunk;
  context.save();
  context.globalAlpha *= layer.opacity;
  context.beginPath();
  context.rect(dx, dy, found.depth.width * scale, found.depth.height * scale); // the last cells may reach beyond
  context.clip();
  context.drawImage(ready.canvas, dx, dy, width * step * scale, height * step * scale);
  context.restore();
}

/**
 * @param {number} z
 * @param {"m" | "relative"} unit
 * @returns {string} A distance with its unit.
 */
export function told(z, unit) {
  return t(unit === "m" ? "metres" : "relative", { z: threeDigits(z) });
}

/** @returns {Layer | null} The uppermost depth layer, one that is drawn if there is any, whose distances are here. */
export function currentDepth() {
  const usable = (/** @type {Layer} */ layer) => layer.kind === "depth" && loaded.has(layer.result.id);
  return drawn.value.findLast(usable) ?? layers.value.findLast(usable) ?? null;
}

/** Results that had a layer. @type {Set<string>} */
let had = new Set();

effect(() => {
  const present = new Set(layers.value.map((layer) => layer.result.id));
  for (const id of had) {
    if (!present.has(id)) {
      loaded.delete(id);
      painted.delete(id);
    }
  }
  had = present;
});
