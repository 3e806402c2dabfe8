/** The picture of a comparison: both sides on one canvas, split by a line, blended, or one after the other. */

import { html, nothing } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { ApiFailure } from "./api.js";
import { front, mode, place, pointed, sides } from "./comparing.js";
import { depthOf, loadDepth, lookOf, paintDepth } from "./depth.js";
import { objectsOf } from "./differences.js";
import { idsOf, loadPixels } from "./labels.js";
import { kindOf, OPACITY } from "./layers.js";
import { hexOf } from "./palette.js";
import { paint } from "./shapes.js";
import { layers, picture, screen } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./comparing.js").Side} Side */
/** @typedef {import("./comparing.js").SideName} SideName */

const t = words({
  split: ["The picture, with A left of the line and B right of it", "图像：分界线左侧为 A，右侧为 B"],
  opacity: ["The picture, with A and B over each other", "图像：A 与 B 叠加"],
  blink: ["The picture, with {name}", "图像：显示 {name}"],
});

const BLUE = 4; // of the palette; tells B from A where all of it has one colour
const BLINK_MS = 900;
const LINE_PX = 2;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether A and B take turns by themselves. */
export const blinking = signal(!STILL.matches);

/** Counts what was loaded, so that it is drawn. */
const arrived = signal(0);

/** What kept the pixels of a side from coming. */
export const failure = signal(/** @type {ApiFailure | null} */ (null));

/** @type {WeakMap<import("./store.js").Result, Partial<Record<SideName, Layer>>>} */
const made = new WeakMap();

/** @param {Side} side @returns {Layer | null} What is drawn of it; null for words and numbers. */
function layerOf({ side, title, result }) {
  const kind = kindOf(result);
  if (!kind) return null;
  const known = made.get(result) ?? {};
  made.set(result, known);
  const hasOneColour = new Set(objectsOf(result).map((item) => item.label)).size < 2 && kind !== "instances";
  known[side] ??= {
    key: `compare-${side}-${result.id}`,
    card: null,
    name: title,
    kind,
    visible: true,
    opacity: OPACITY[kind],
    colour: hexOf(side === "b" && hasOneColour ? BLUE : 0),
    result,
  };
  return known[side];
}

/** @param {Layer | null} layer */
function isLoaded(layer) {
  if (layer?.kind === "labels") return idsOf(layer) !== null;
  return layer?.kind !== "depth" || depthOf(layer) !== null;
}

/** @returns {import("./compare-table.js").Pictured | null} What is compared, with the layers of both. */
export function compared() {
  if (!sides.value || arrived.value < 0) return null;
  const { a, b } = sides.value;
  const [layerA, layerB] = [layerOf(a), layerOf(b)];
  return { a, b, layers: { a: layerA, b: layerB }, loaded: isLoaded(layerA) && isLoaded(layerB) };
}

/** @param {Layer | null} layer */
async function load(layer) {
  if (!layer || isLoaded(layer)) return;
  try {
    await (layer.kind === "depth" ? loadDepth(layer) : loadPixels(layer));
    arrived.value += 1;
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    failure.value = error;
  }
}

effect(() => {
  if (screen.value !== "compare" || !layers.value || !sides.value) return; // a layer that goes takes its distances along
  const { a, b } = sides.value;
  failure.value = null;
  for (const side of [a, b]) void load(layerOf(side));
});

effect(() => {
  if (screen.value !== "compare" || mode.value !== "blink" || !blinking.value) return;
  const timer = setInterval(turn, BLINK_MS);
  return () => clearInterval(timer);
});

/** Show the other one. */
export function turn() {
  front.value = front.value === "a" ? "b" : "a";
}

/**
 * @param {import("./compare-table.js").Pictured} compared
 * @returns {import("./depth-colours.js").Look | null} Colours that stand for the same distances in both; null where they
 *   are not both depth maps in metres.
 */
export function sharedLook({ layers: { a, b }, loaded }) {
  const inMetres = (/** @type {Layer | null} */ layer) => layer?.kind === "depth" && layer.result.unit === "m";
  if (!loaded || !a || !b || !inMetres(a) || !inMetres(b)) return null;
  const [one, other] = [lookOf(a), lookOf(b)];
  return { map: one.map, near: Math.min(one.near, other.near), far: Math.max(one.far, other.far) };
}

/** @typedef {{canvas: HTMLCanvasElement, of: unknown[]}} Painted A canvas, and what it was painted from. */

/** @type {Record<"base" | SideName, Painted>} */
const painted = {
  base: { canvas: document.createElement("canvas"), of: [] },
  a: { canvas: document.createElement("canvas"), of: [] },
  b: { canvas: document.createElement("canvas"), of: [] },
};

/**
 * Paint a canvas again where it shows something else, or has another size.
 *
 * @param {"base" | SideName} name
 * @param {unknown[]} of
 * @param {{width: number, height: number}} size
 * @param {(context: CanvasRenderingContext2D) => void} work
 */
function repainted(name, of, { width, height }, work) {
  const one = painted[name];
  const key = [width, height, ...of];
  if (key.every((value, index) => value === one.of[index])) return one.canvas;
  [one.canvas.width, one.canvas.height, one.of] = [width, height, key];
  work(contextOf(one.canvas));
  return one.canvas;
}

/** @param {HTMLCanvasElement} canvas */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

/** @param {HTMLCanvasElement} canvas */
function draw(canvas) {
  const found = compared();
  const shown = picture.value;
  const unit = devicePixelRatio || 1;
  const size = { width: Math.round(canvas.clientWidth * unit), height: Math.round(canvas.clientHeight * unit) };
  if (!found || !shown?.width || !size.width || !size.height) return;
  if (canvas.width !== size.width || canvas.height !== size.height) [canvas.width, canvas.height] = [size.width, size.height];
  const frame = { scale: size.width / shown.width, dx: 0, dy: 0, ...size, unit };
  const { bitmap } = shown;
  const base = repainted("base", [bitmap], size, (context) => bitmap && context.drawImage(bitmap, 0, 0, size.width, size.height));
  const look = sharedLook(found);
  const sideOf = (/** @type {SideName} */ name) => {
    const layer = found.layers[name];
    const of = layer && isLoaded(layer) ? layer : null;
    return repainted(name, [of, look?.map, look?.near, look?.far], size, (context) => {
      if (of && look) paintDepth(context, of, frame, look);
      else if (of) paint(context, of, { ...frame, taken: [] });
    });
  };
  const context = contextOf(canvas);
  context.clearRect(0, 0, size.width, size.height);
  context.drawImage(base, 0, 0);
  compose(context, sideOf, size);
  for (const box of pointed.value) outline(context, box, frame);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {(name: SideName) => HTMLCanvasElement} sideOf
 * @param {{width: number, height: number}} size
 */
function compose(context, sideOf, { width, height }) {
  const at = Math.round(place.value * width);
  if (mode.value === "blink") context.drawImage(sideOf(front.value), 0, 0);
  else if (mode.value === "opacity") {
    context.globalAlpha = 1 - place.value;
    context.drawImage(sideOf("a"), 0, 0);
    context.globalAlpha = place.value;
    context.drawImage(sideOf("b"), 0, 0);
    context.globalAlpha = 1;
  } else {
    if (at > 0) context.drawImage(sideOf("a"), 0, 0, at, height, 0, 0, at, height);
    if (at < width) context.drawImage(sideOf("b"), at, 0, width - at, height, at, 0, width - at, height);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./differences.js").Xyxy} box
 * @param {{scale: number, unit: number}} frame
 */
function outline(context, [left, top, right, bottom], { scale, unit }) {
  context.save();
  for (const [colour, width, dash] of /** @type {[string, number, number[]][]} */ ([["#000", 2.5, []], ["#fff", 1, [6, 4]]])) {
    context.strokeStyle = colour;
    context.lineWidth = LINE_PX * width * unit;
    context.setLineDash(dash.map((length) => length * unit));
    context.strokeRect(left * scale, top * scale, (right - left) * scale, (bottom - top) * scale);
  }
  context.restore();
}

let isDue = false;

function drawSoon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    const canvas = document.getElementById("compare-canvas");
    if (!(canvas instanceof HTMLCanvasElement)) return;
    resized.observe(canvas); // once, however often it is asked to
    draw(canvas);
  });
}

const resized = new ResizeObserver(drawSoon);

effect(() => {
  if (screen.value !== "compare") return;
  void [compared(), mode.value, place.value, front.value, pointed.value, picture.value?.bitmap];
  drawSoon();
});

/** @param {PointerEvent} event Moves the line to where the pointer is, while it is held. */
function drag(event) {
  const stage = /** @type {HTMLElement} */ (event.currentTarget);
  if (mode.value !== "split" || (event.type === "pointerdown" && event.button !== 0)) return;
  if (event.type === "pointerdown") stage.setPointerCapture(event.pointerId);
  if (!stage.hasPointerCapture(event.pointerId)) return;
  const { left, width } = stage.getBoundingClientRect();
  place.value = Math.min(1, Math.max(0, (event.clientX - left) / width));
}

/** @returns {unknown} */
export function compareStage() {
  const { width, height } = picture.value ?? { width: 1, height: 1 };
  const isSplit = mode.value === "split";
  const seen = mode.value === "blink" ? t("blink", { name: front.value.toUpperCase() }) : t(mode.value);
  const name = (/** @type {SideName} */ side) =>
    mode.value === "blink" && front.value !== side ? nothing : html`<span class="side-name ${side}" translate="no">${side.toUpperCase()}</span>`;
  return html`<div
    class="compare-stage ${mode.value}"
    .style=${`aspect-ratio: ${width || 1} / ${height || 1}; max-width: calc(68vh * ${(width || 1) / (height || 1)})`}
    @pointerdown=${drag}
    @pointermove=${drag}
  >
    <canvas id="compare-canvas" role="img" aria-label=${seen}></canvas>
    ${name("a")}${name("b")}
    ${isSplit ? html`<span class="divider" aria-hidden="true" .style=${`left: ${100 * place.value}%`}></span>` : nothing}
  </div>`;
}
