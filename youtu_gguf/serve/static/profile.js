/** The distances along a line, as a chart and in words. */

import { html, svg } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { told } from "./depth.js";
import { evenTicks, profile, threeDigits } from "./space.js";
import { hover } from "./store.js";
import { words } from "./words.js";

/** @typedef {import("./space.js").Step} Step */

const t = words({
  chart: ["Distance along the line", "沿线距离"],
  along: ["pixels along the line", "沿线像素"],
  metres: ["distance in m", "距离（米）"],
  relative: ["distance, relative", "距离（相对）"],
  at: ["at {along} px: {z}", "{along} 像素处：{z}"],
  none: ["no distance", "无距离"],
  span: ["From {from} to {to}; nearest {near} at {nearAt} px, farthest {far} at {farAt} px.",
    "从 {from} 到 {to}；最近 {near}（{nearAt} 像素处），最远 {far}（{farAt} 像素处）。"],
  empty: ["No pixel along the line has a distance.", "沿线没有像素有距离。"],
});

const WIDTH = 260;
const HEIGHT = 140;
const LEFT = 42;
const RIGHT = 14;
const TOP = 8;
const BOTTOM = 32;

/** The point of a profile that is pointed at; it is marked in the picture too. */
export const probe = signal(/** @type {{line: string, step: Step} | null} */ (null));

/**
 * @typedef {object} Line
 * @property {string} key
 * @property {import("./store.js").Point} from
 * @property {import("./store.js").Point} to
 */

/**
 * @param {import("./space.js").Depth} depth
 * @param {Line} line
 * @returns {unknown}
 */
export function profileChart(depth, line) {
  const steps = profile(depth, line.from, line.to);
  const known = steps.filter(({ z }) => z !== null).map(({ z }) => Number(z));
  if (!known.length) return html`<p>${t("empty")}</p>`;
  const [low, high] = padded(Math.min(...known), Math.max(...known));
  const length = steps[steps.length - 1].along || 1;
  const x = (/** @type {number} */ along) => LEFT + (along / length) * (WIDTH - LEFT - RIGHT);
  const y = (/** @type {number} */ z) => HEIGHT - BOTTOM - ((z - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const at = probe.value?.line === line.key ? probe.value.step : null;
  const say = (/** @type {Step} */ { along, z }) =>
    t("at", { along: Math.round(along), z: z === null ? t("none") : told(z, depth.unit) });

  const point = (/** @type {number} */ index) => {
    const step = steps[Math.min(Math.max(index, 0), steps.length - 1)];
    probe.value = { line: line.key, step };
    hover.value = step.at;
  };
  const leave = () => {
    probe.value = null;
    hover.value = null;
  };
  const move = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
    point(Math.round(share * (steps.length - 1)));
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const here = at ? steps.findIndex(({ along }) => along >= at.along) : 0;
    const big = Math.max(1, Math.round(steps.length / 10));
    /** @type {Record<string, number>} */
    const next = {
      ArrowRight: here + 1, ArrowUp: here + 1, ArrowLeft: here - 1, ArrowDown: here - 1,
      PageUp: here + big, PageDown: here - big, Home: 0, End: steps.length - 1,
    };
    if (!(event.key in next)) return;
    event.preventDefault();
    point(next[event.key]);
  };

  return html`<svg class="profile" viewBox="0 0 ${WIDTH} ${HEIGHT}" tabindex="0" role="slider" aria-label=${t("chart")}
      aria-valuemin="0" aria-valuemax=${Math.round(length)} aria-valuenow=${Math.round(at?.along ?? 0)}
      aria-valuetext=${say(at ?? steps[0])} @pointermove=${move} @pointerleave=${leave} @keydown=${press} @blur=${leave}>
      ${evenTicks(low, high, 5).map(
        (z) => svg`<line class="grid" x1=${LEFT} x2=${WIDTH - RIGHT} y1=${y(z)} y2=${y(z)}></line>
          <text x=${LEFT - 5} y=${y(z) + 3.5} text-anchor="end">${Number(z)}</text>`,
      )}
      ${evenTicks(0, length, 5).map((along) => svg`<text x=${x(along)} y=${HEIGHT - 19} text-anchor="middle">${along}</text>`)}
      <text x=${(LEFT + WIDTH) / 2} y=${HEIGHT - 5} text-anchor="middle">${t("along")}</text>
      <text transform="translate(10 ${(HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${t(depth.unit === "m" ? "metres" : "relative")}</text>
      <path class="curve" d=${pathOf(steps, x, y)}></path>
      ${at ? svg`<line class="probe" x1=${x(at.along)} x2=${x(at.along)} y1=${TOP} y2=${HEIGHT - BOTTOM}></line>` : ""}
      ${at && at.z !== null ? svg`<circle class="probe" cx=${x(at.along)} cy=${y(at.z)} r="3.5"></circle>` : ""}
    </svg>
    <p class="number profile-at">${at ? say(at) : " "}</p>
    <p class="dim">${inWords(steps, depth.unit)}</p>`;
}

/**
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]} A little more than the two, so that an even line is in the middle.
 */
function padded(low, high) {
  const room = Math.max((high - low) * 0.08, high * 0.01);
  return [Math.max(0, low - room), high + room];
}

/**
 * @param {Step[]} steps
 * @param {(along: number) => number} x
 * @param {(z: number) => number} y
 * @returns {string} With gaps where there is no distance.
 */
function pathOf(steps, x, y) {
  let isDrawing = false;
  return steps
    .map(({ along, z }) => {
      const verb = isDrawing ? "L" : "M";
      isDrawing = z !== null;
      return z === null ? "" : `${verb}${x(along).toFixed(1)} ${y(z).toFixed(1)}`;
    })
    .join("");
}

/**
 * @param {Step[]} steps
 * @param {"m" | "relative"} unit
 */
function inWords(steps, unit) {
  const known = steps.filter(({ z }) => z !== null);
  const nearest = known.reduce((best, step) => (Number(step.z) < Number(best.z) ? step : best));
  const farthest = known.reduce((best, step) => (Number(step.z) > Number(best.z) ? step : best));
  const end = (/** @type {Step} */ { z }) => (z === null ? t("none") : told(z, unit));
  return t("span", {
    from: end(steps[0]),
    to: end(steps[steps.length - 1]),
    near: threeDigits(Number(nearest.z)),
    nearAt: Math.round(nearest.along),
    far: threeDigits(Number(farthest.z)),
    farAt: Math.round(farthest.along),
  });
}
