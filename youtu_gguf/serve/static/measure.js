/** Lengths between two points of the picture, by its depth map. */

import { html, nothing } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { copyText } from "./clipboard.js";
import { askDepth, depthBeingMade, isDepthComing, useFocal } from "./depth-ask.js";
import { currentDepth, depthOf, told } from "./depth.js";
import { focalFor, focalForm, GUESS_FROM_MM, GUESS_TO_MM } from "./focal.js";
import { paintLines } from "./measure-lines.js";
import { probe, profileChart } from "./profile.js";
import { distanceAt, focalFromEquivalent, lengthAtFocal, lengthBetween, placeOf, threeDigits } from "./space.js";
import { gestures, newKey, picture, tool } from "./store.js";
import { painters, repaint } from "./viewer.js";
import { words } from "./words.js";

/** @typedef {import("./space.js").Depth} Depth */
/** @typedef {import("./focal.js").Focal} Focal */
/** @typedef {import("./profile.js").Line} Line */

const t = words({
  title: ["Measurements", "测量"],
  how: ["Drag a line in the picture, or press Enter at both ends.", "在图像上拖出一条线，或在两端各按一次 Enter。"],
  needs: ["Measuring needs a depth map.", "测量需要深度图。"],
  make: ["Make a depth map", "生成深度图"],
  making: ["The depth map is being made …", "正在生成深度图……"],
  failed: ["There is no depth map: {why}", "没有深度图：{why}"],
  ratioFar: ["The end is {ratio} times as far away as the start.", "终点的距离是起点的 {ratio} 倍。"],
  ratioNear: ["The start is {ratio} times as far away as the end.", "起点的距离是终点的 {ratio} 倍。"],
  relative: [
    "The distances are relative, so there are no metres: give the focal length, or take the guess.",
    "距离为相对值，没有米数：请给出焦距，或采用估计值。",
  ],
  missing: ["No length: there is no distance at an end of the line.", "无长度：线的一端没有距离。"],
  ends: ["from {x1}, {y1} at {z1} to {x2}, {y2} at {z2}", "从 {x1}, {y1} 处 {z1} 到 {x2}, {y2} 处 {z2}"],
  none: ["no distance", "无距离"],
  exif: ["Focal length from EXIF", "焦距来自 EXIF"],
  given: ["Focal length given", "焦距由用户给出"],
  guessed: [
    "Focal length guessed; a lens of {low} to {high} mm would make it {from} to {to}",
    "焦距为估计值；若镜头为 {low} 至 {high} 毫米，则为 {from} 至 {to}",
  ],
  profile: ["Depth profile", "深度剖面"],
  copy: ["Copy", "复制"],
  remove: ["Remove", "移除"],
  removeAll: ["Remove all", "全部移除"],
  line: ["Measurement {number}", "测量 {number}"],
});

/** Lines that were drawn in the picture, the oldest first. */
export const lines = signal(/** @type {Line[]} */ ([]));

/** Keys of lines whose profile is shown. */
const open = signal(/** @type {ReadonlySet<string>} */ (new Set()));

/** With more lines than these, profiles are shown only where they are opened. */
const MOST_OPEN = 2;

/** @type {Blob | null} */
let measuredFile = null;

gestures.line = (from, to) => {
  const key = newKey();
  lines.value = [...lines.value, { key, from, to }];
  open.value = new Set(lines.value.length > MOST_OPEN ? [] : [key]);
  if (!currentDepth() && !isDepthComing()) askDepth(); // a line is a wish for its length
};

/**
 * @typedef {object} Length
 * @property {string} text The length, or the ratio of relative distances; "" where an end has no distance.
 * @property {string} short The same for the picture.
 * @property {string} about What it rests on.
 * @property {string} ends
 */

/**
 * @param {Depth} depth
 * @param {Line} line
 * @returns {Length}
 */
function lengthOf(depth, { from, to }) {
  const focal = focalFor(depth);
  const [start, end] = [from, to].map((point) => distanceAt(depth, point));
  const at = (/** @type {number | null} */ z) => (z === null ? t("none") : told(z, depth.unit));
  const [x1, y1, x2, y2] = [from.x, from.y, to.x, to.y].map(Math.floor);
  const ends = t("ends", { x1, y1, z1: at(start), x2, y2, z2: at(end) });
  if (start === null || end === null) return { text: "", short: "", about: t("missing"), ends };
  if (!focal) {
    const ratio = threeDigits(Math.max(start, end) / Math.min(start, end));
    return { text: t(end >= start ? "ratioFar" : "ratioNear", { ratio }), short: `×${ratio}`, about: t("relative"), ends };
  }
  const [a, b] = [from, to].map((point) => /** @type {import("./space.js").Place} */ (placeOf(depth, point, focal.px)));
  const text = told(lengthBetween(a, b), "m");
  return { text, short: text, about: aboutOf(depth, a, b, focal), ends };
}

/**
 * @param {Depth} depth
 * @param {import("./space.js").Place} a
 * @param {import("./space.js").Place} b
 * @param {Focal} focal
 */
function aboutOf(depth, a, b, focal) {
  if (focal.source !== "guessed") return t(focal.source);
  const [from, to] = [GUESS_FROM_MM, GUESS_TO_MM]
    .map((mm) => lengthAtFocal(depth, a, b, focalFromEquivalent(mm, depth.width, depth.height) / focal.px))
    .sort((one, other) => one - other);
  return t("guessed", { low: GUESS_FROM_MM, high: GUESS_TO_MM, from: told(from, "m"), to: told(to, "m") });
}

/** @returns {unknown} The measurements, where there are any or the tool for them is chosen. */
export function measurePanel() {
  if (!picture.value || (tool.value !== "measure" && !lines.value.length)) return nothing;
  const layer = currentDepth();
  const depth = layer && depthOf(layer);
  return html`<section class="measure" aria-label=${t("title")}>
    <h2>${t("title")}</h2>
    ${depth && !isDepthComing() ? nothing : needed()} ${lines.value.length ? nothing : html`<p class="dim">${t("how")}</p>`}
    <ol class="measured" reversed>${lines.value.map((line, index) => row(line, index + 1, depth)).reverse()}</ol>
    ${lines.value.length > 1
      ? html`<button type="button" class="quiet" @click=${() => (lines.value = [])}>${t("removeAll")}</button>`
      : nothing}
    ${depth ? focalForm(focalFor(depth), depth, useFocal) : nothing}
  </section>`;
}

/** @returns {unknown} What is said where there is no depth map yet. */
function needed() {
  if (isDepthComing()) return html`<p role="status">${t("making")}</p>`;
  const why = depthBeingMade()?.failure?.message;
  return html`<p role="status">${why ? t("failed", { why }) : t("needs")}</p>
    <button type="button" class="main" @click=${askDepth}>${t("make")}</button>`;
}

/**
 * @param {Line} line
 * @param {number} number
 * @param {Depth | null} depth
 */
function row(line, number, depth) {
  const length = depth && lengthOf(depth, line);
  const remove = () => (lines.value = lines.value.filter(({ key }) => key !== line.key));
  const toggle = (/** @type {any} */ event) => {
    const next = new Set(open.value);
    if (event.target.open) next.add(line.key);
    else next.delete(line.key);
    if (next.size !== open.value.size) open.value = next;
  };
  return html`<li aria-label=${t("line", { number })}>
    <span class="measured-head">
      <span class="measured-number" aria-hidden="true">${number}</span>
      <strong aria-live="polite">${length?.text ?? ""}</strong>
      ${length
        ? html`<button type="button" class="quiet" aria-label="${t("copy")}: ${t("line", { number })}"
            @click=${() => copyText(`${t("line", { number })}: ${[length.text, length.ends, length.about].filter(Boolean).join("; ")}`)}>
            ${t("copy")}
          </button>`
        : nothing}
      <button type="button" class="quiet" aria-label="${t("remove")}: ${t("line", { number })}" @click=${remove}>×</button>
    </span>
    ${length ? html`<p>${length.about}</p><p class="dim number">${length.ends}</p>` : nothing}
    ${depth
      ? html`<details ?open=${open.value.has(line.key)} @toggle=${toggle}>
          <summary>${t("profile")}</summary>
          ${open.value.has(line.key) ? profileChart(depth, line) : nothing}
        </details>`
      : nothing}
  </li>`;
}

effect(() => {
  const file = picture.value?.file ?? null;
  if (file === measuredFile) return;
  measuredFile = file;
  lines.value = [];
});

painters.add((context, frame) => {
  const layer = currentDepth();
  const depth = layer && depthOf(layer);
  const said = (/** @type {Line} */ line) => (depth ? lengthOf(depth, line).short : "");
  paintLines(context, frame, lines.value, said, probe.value?.step.at ?? null);
});

effect(() => {
  void [lines.value, probe.value, currentDepth(), picture.value?.id];
  repaint();
});
