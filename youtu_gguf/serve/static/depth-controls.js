/** The row of a depth layer: its unit, and the colours with the range that they stand for. */

import { html, nothing, svg } from "./vendor/lit-html.js";
import { openCloud } from "./cloud.js";
import { changeLook, depthOf, lookOf, spreadOfLayer, told } from "./depth.js";
import { colourOf, hasShader } from "./depth-colours.js";
import { growingTicks, threeDigits } from "./space.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./depth-colours.js").Look} Look */

const t = words({
  metres: ["Distances in metres.", "距离以米为单位。"],
  relative: [
    "Relative distances, without a unit: they compare points of this picture only. A focal length makes them metres.",
    "相对距离，无单位：只能比较本图中的各点。给出焦距后可换算为米。",
  ],
  none: ["No pixel has a distance.", "没有任何像素有距离。"],
  colours: ["Colours", "颜色"],
  turbo: ["Turbo (near warm, far cold)", "Turbo（近暖远冷）"],
  grey: ["Grey (near bright, far dark)", "灰度（近亮远暗）"],
  near: ["Nearest colour", "最近色"],
  far: ["Farthest colour", "最远色"],
  range: ["Range of the colours", "颜色范围"],
  reset: ["Reset range", "重置范围"],
  cloud: ["Point cloud", "点云"],
  slow: ["This browser has no WebGL 2; the processor computes the colours.", "此浏览器不支持 WebGL 2，颜色由处理器计算。"],
  histogram: ["Share of the pixels by distance, from {low} to {high}", "各距离的像素占比，从 {low} 到 {high}"],
  missing: ["Hatched pixels have no distance.", "带斜纹的像素没有距离。"],
});

const STEPS = 500;
const BARS = 48;
const TICKS = 6;

/** @type {WeakMap<Float32Array, number[]>} */
const counted = new WeakMap();

/**
 * @param {Layer} layer
 * @returns {unknown} What the layer's row shows beside what every layer has.
 */
export function depthControls(layer) {
  const depth = depthOf(layer);
  const spread = spreadOfLayer(layer);
  if (!depth) return nothing;
  if (!spread) return html`<p class="dim">${t("none")}</p>`;
  const look = lookOf(layer);
  const axis = axisOf(spread.least, spread.most);
  return html`<div class="depth-controls">
    <p class=${depth.unit === "m" ? "dim" : "depth-relative"}>${t(depth.unit === "m" ? "metres" : "relative")}</p>
    <div class="depth-axis" role="group" aria-label=${t("range")}>
      ${histogram(spread.sorted, axis, depth.unit)}
      <span class="depth-bar" .style=${gradient(look, axis)}></span>
      ${handle(layer, look, axis, "near")} ${handle(layer, look, axis, "far")}
      <span class="depth-ticks" aria-hidden="true">
        ${growingTicks(axis.low, axis.high, TICKS).map(
          (value) => html`<span .style=${`left: ${100 * axis.share(value)}%`}>${Number(value)}</span>`,
        )}
      </span>
    </div>
    <p class="number depth-ends">${threeDigits(look.near)} – ${told(look.far, depth.unit)}</p>
    ${layer.result.valid_share < 1 ? html`<p class="dim">${t("missing")}</p>` : nothing}
    ${hasShader() ? nothing : html`<p class="dim">${t("slow")}</p>`}
    <div class="depth-buttons">
      <select aria-label=${t("colours")} @change=${(/** @type {any} */ event) => changeLook(layer, { map: event.target.value })}>
        ${/** @type {const} */ (["turbo", "grey"]).map(
          (map) => html`<option value=${map} ?selected=${look.map === map}>${t(map)}</option>`,
        )}
      </select>
      <button type="button" @click=${() => changeLook(layer, null)}>${t("reset")}</button>
      <button type="button" @click=${() => openCloud(layer)}>${t("cloud")}</button>
    </div>
  </div>`;
}

/**
 * @typedef {object} Axis A logarithmic one.
 * @property {number} low
 * @property {number} high
 * @property {(value: number) => number} share Where a value lies, from 0 to 1.
 * @property {(share: number) => number} value
 */

/**
 * @param {number} least
 * @param {number} most
 * @returns {Axis}
 */
function axisOf(least, most) {
  const low = Math.max(least, 1e-3);
  const high = Math.max(most, low * 1.01); // maps of a single distance have an axis too
  const length = Math.log(high / low);
  return { low, high, share: (value) => Math.log(value / low) / length, value: (share) => low * Math.exp(share * length) };
}

/**
 * @param {Look} look
 * @param {Axis} axis
 */
function gradient(look, axis) {
  const stops = Array.from({ length: 33 }, (_, index) => {
    const value = look.near * (look.far / look.near) ** (index / 32);
    return `${colourOf(value, look)} ${(100 * axis.share(value)).toFixed(2)}%`;
  });
  return `background: linear-gradient(to right, ${stops.join(", ")})`;
}

/**
 * @param {Layer} layer
 * @param {Look} look
 * @param {Axis} axis
 * @param {"near" | "far"} end
 */
function handle(layer, look, axis, end) {
  const unit = depthOf(layer)?.unit ?? "relative";
  const move = (/** @type {any} */ event) => {
    const value = axis.value(Number(event.target.value) / STEPS);
    const held = end === "near" ? Math.min(value, look.far) : Math.max(value, look.near);
    event.target.value = String(Math.round(axis.share(held) * STEPS)); // it stops at the other handle
    changeLook(layer, { [end]: held });
  };
  return html`<input type="range" class="depth-handle" min="0" max=${STEPS} aria-label=${t(end)}
    aria-valuetext=${told(look[end], unit)} .value=${String(Math.round(axis.share(look[end]) * STEPS))} @input=${move} />`;
}

/**
 * @param {Float32Array} sorted
 * @param {Axis} axis
 * @param {"m" | "relative"} unit
 */
function histogram(sorted, axis, unit) {
  let counts = counted.get(sorted);
  if (!counts) {
    counts = Array.from({ length: BARS }, () => 0);
    for (const z of sorted) counts[Math.min(Math.max(Math.floor(axis.share(z) * BARS), 0), BARS - 1)] += 1;
    counted.set(sorted, counts);
  }
  const most = Math.max(...counts);
  const label = t("histogram", { low: told(axis.low, unit), high: told(axis.high, unit) });
  return html`<svg class="depth-histogram" viewBox="0 0 ${BARS} 20" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${counts.map((count, index) => {
      const height = (20 * count) / most;
      return svg`<rect x=${index} y=${20 - height} width="1" height=${height}></rect>`;
    })}
  </svg>`;
}

