/** The differences of two results in words and numbers. */

import { html, nothing } from "./vendor/lit-html.js";
import { pointed } from "./comparing.js";
import { sharedLook } from "./compare-view.js";
import { depthDifference, LEAST_IOU, labelAgreement, maskDifference, matchItems, objectsKey, objectsOf, shareDifferences, wordDiff } from "./differences.js";
import { depthOf, told } from "./depth.js";
import { idsOf, patchesOf } from "./labels.js";
import { hexOf } from "./palette.js";
import { EMPTY } from "./patches.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./comparing.js").Side} Side */
/** @typedef {{a: Side, b: Side, layers: {a: Layer | null, b: Layer | null}, loaded: boolean}} Pictured */

const t = words({
  differences: ["Differences", "差异"],
  kinds: ["These answers are of different kinds: look at them above.", "两个回答类型不同，请在上方对照查看。"],
  loading: ["Loading the pixels ...", "正在载入像素……"],
  sizes: ["They cannot be compared pixel by pixel.", "无法逐像素比较。"],
  matched: ["{both} in both, {a} only in A, {b} only in B. Boxes are one object from an overlap (IoU) of {iou} on.", "两者都有 {both} 个，仅 A 有 {a} 个，仅 B 有 {b} 个。重叠度（IoU）达到 {iou} 的框视为同一物体。"],
  none: ["Neither has an object.", "两者都没有物体。"],
  where: ["Where", "归属"],
  both: ["both", "两者"],
  onlyA: ["only A", "仅 A"],
  onlyB: ["only B", "仅 B"],
  label: ["Label", "标签"],
  scoreA: ["Score A", "A 分数"],
  scoreB: ["Score B", "B 分数"],
  overlap: ["Overlap (IoU)", "重叠度（IoU）"],
  maskOverlap: ["masks", "掩码"],
  position: ["Left, top, right, bottom", "左、上、右、下"],
  unnamed: ["object", "物体"],
  masks: ["Overlap of the masks (IoU): {iou}. {both} pixels in both, {a} only in A, {b} only in B.", "掩码重叠度（IoU）：{iou}。两者共有 {both} 像素，仅 A {a} 像素，仅 B {b} 像素。"],
  emptyMasks: ["Both masks are empty.", "两个掩码都为空。"],
  agreement: ["{share} of the pixels have one class in both.", "{share} 的像素在两者中类别相同。"],
  class: ["Class", "类别"],
  noClass: ["no class", "无类别"],
  shareA: ["Share A", "A 占比"],
  shareB: ["Share B", "B 占比"],
  difference: ["Difference (B - A)", "差值（B - A）"],
  metres: ["Over {n} pixels, the median of B - A is {median} m, and the median of its absolute value {spread} m.", "在 {n} 个像素上，B - A 的中位数为 {median} 米，两者之差绝对值的中位数为 {spread} 米。"],
  ratio: ["Without metres in both, only ratios can be compared: over {n} pixels, the median of B / A is {median}, and half of the pixels differ from that ratio by no more than {spread}.", "并非两者都以米为单位，只能比较比值：在 {n} 个像素上，B / A 的中位数为 {median}，其中一半像素与该比值之差不超过 {spread}。"],
  colours: ["The colours stand for the same distances in both, from {near} to {far}.", "两者的颜色表示相同的距离：{near} 至 {far}。"],
  noDepth: ["No pixel has a distance in both.", "没有像素在两者中都有距离。"],
  count: ["A counts {a}, B counts {b}: {difference}.", "A 计得 {a}，B 计得 {b}：{difference}。"],
  same: ["no difference", "没有差异"],
  more: ["{n} more", "多 {n}"],
  fewer: ["{n} fewer", "少 {n}"],
  noNumber: ["no number", "无数字"],
  sameText: ["Both say the same.", "两者内容相同。"],
  onlyInA: ["only in A:", "仅在 A 中："],
  onlyInB: ["only in B:", "仅在 B 中："],
  actions: ["A: {a}. B: {b}.", "A：{a}。B：{b}。"],
  apart: ["The points are {px} pixels apart.", "两点相距 {px} 像素。"],
});

/** @param {number | null} value */
const score = (value) => (value === null ? "-" : value.toFixed(2));
/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`;
/** @param {number} value */
const signed = (value) => `${value < 0 ? "-" : "+"}${Math.abs(value)}`;
/** @param {number} n */
const whole = (n) => n.toLocaleString("en").replaceAll(",", "\u2009");

/** @param {Pictured} compared @returns {unknown} */
export function differenceTable(compared) {
  const { a, b, layers, loaded } = compared;
  const look = sharedLook(compared);
  return html`<h2 id="compare-differences">${t("differences")}</h2>${body(a, b, layers, loaded)}
    ${look ? html`<p class="dim">${t("colours", { near: told(look.near, "m"), far: told(look.far, "m") })}</p>` : nothing}`;
}

/**
 * @param {Side} a
 * @param {Side} b
 * @param {Pictured["layers"]} layers
 * @param {boolean} loaded
 */
function body(a, b, layers, loaded) {
  const [one, other] = [a.result, b.result];
  const objects = objectsKey(one) !== null && objectsKey(other) !== null;
  if (one.type === "Count" && other.type === "Count") return html`${counts(one, other)}${objects ? objectRows(a, b, null) : nothing}`;
  if (objects) {
    const masked = one.type === "Instances" && other.type === "Instances" ? layers : null;
    return objectRows(a, b, masked);
  }
  if (one.type !== other.type) return html`<p class="dim">${t("kinds")}</p>`;
  if (one.type === "Text") return textRuns(one.text, other.text);
  if (one.type === "Action") return actions(one, other);
  if (one.type === "Mask") return masks(layers);
  if (!loaded || !layers.a || !layers.b) return html`<p class="dim" role="status">${t("loading")}</p>`;
  if (one.type === "LabelMap") return classes(a, b, layers.a, layers.b);
  return depths(layers.a, layers.b);
}

/**
 * @param {Side} a
 * @param {Side} b
 * @param {Pictured["layers"] | null} masked Layers whose objects have masks.
 */
function objectRows(a, b, masked) {
  const [ours, theirs] = [objectsOf(a.result), objectsOf(b.result)];
  if (!ours.length && !theirs.length) return html`<p class="dim">${t("none")}</p>`;
  const { pairs, onlyA, onlyB } = matchItems(ours, theirs);
  const rows = [
    ...pairs.map(({ a: i, b: j, iou }) => row("both", ours[i], theirs[j], iou, masked && maskIou(masked, i, j))),
    ...onlyA.map((i) => row("onlyA", ours[i], null, null, null)),
    ...onlyB.map((j) => row("onlyB", null, theirs[j], null, null)),
  ];
  return html`<p>${t("matched", { both: pairs.length, a: onlyA.length, b: onlyB.length, iou: LEAST_IOU })}</p>
    <div class="scroll"><table aria-labelledby="compare-differences">
      <thead><tr><th scope="col">${t("where")}</th><th scope="col">${t("label")}</th><th scope="col">${t("scoreA")}</th>
        <th scope="col">${t("scoreB")}</th><th scope="col">${t("overlap")}</th><th scope="col">${t("position")}</th></tr></thead>
      <tbody>${rows}</tbody>
    </table></div>`;
}

/** @typedef {import("./differences.js").Item} Item */

/**
 * @param {"both" | "onlyA" | "onlyB"} where
 * @param {Item | null} a
 * @param {Item | null} b
 * @param {number | null} iou
 * @param {number | null} masks Overlap of their masks.
 */
function row(where, a, b, iou, masks) {
  const named = [a, b].filter((item) => item !== null);
  const labels = [...new Set(named.map((item) => item.label || t("unnamed")))].join(" → ");
  const boxes = named.flatMap((item) => (item.xyxy ? [item.xyxy] : []));
  const point = () => (pointed.value = boxes);
  const leave = () => (pointed.value = []);
  const told = named[0].xyxy?.map(Math.round).join(", ") ?? "-";
  return html`<tr class=${where} tabindex="0" @pointerenter=${point} @pointerleave=${leave} @focus=${point} @blur=${leave}>
    <td><span class="where">${t(where)}</span></td><td translate="no">${labels}</td>
    <td class="number">${a ? score(a.score) : ""}</td><td class="number">${b ? score(b.score) : ""}</td>
    <td class="number">${iou === null ? "" : iou.toFixed(2)}${masks === null ? nothing : html`<br><span class="dim">${t("maskOverlap")}</span> ${masks.toFixed(2)}`}</td>
    <td class="number">${told}</td>
  </tr>`;
}

/** @param {Pictured["layers"]} layers @param {number} i @param {number} j @returns {number | null} */
function maskIou({ a, b }, i, j) {
  if (!a || !b) return null;
  return maskDifference(patchesOf(a)[i] ?? EMPTY, patchesOf(b)[j] ?? EMPTY).iou;
}

/** @param {Pictured["layers"]} layers An empty mask has none. */
function masks({ a, b }) {
  const patch = (/** @type {Layer | null} */ layer) => (layer && patchesOf(layer)[0]) ?? EMPTY;
  const { iou, both, onlyA, onlyB } = maskDifference(patch(a), patch(b));
  if (iou === null) return html`<p>${t("emptyMasks")}</p>`;
  return html`<p>${t("masks", { iou: iou.toFixed(3), both: whole(both), a: whole(onlyA), b: whole(onlyB) })}</p>`;
}

/** @param {Side} a @param {Side} b @param {Layer} layerA @param {Layer} layerB */
function classes(a, b, layerA, layerB) {
  const [ours, theirs] = [idsOf(layerA), idsOf(layerB)];
  const share = ours && theirs
    ? labelAgreement({ ...ours, classes: a.result.classes }, { ...theirs, classes: b.result.classes })
    : null;
  const colour = (/** @type {Side} */ { result }, /** @type {string | null} */ name) => {
    const index = result.classes.indexOf(name);
    return index < 0 ? nothing : html`<span class="swatch" aria-hidden="true" .style=${`background-color: ${hexOf(index)}`}></span>`;
  };
  return html`<p>${share === null ? t("sizes") : t("agreement", { share: percent(share) })}</p>
    <div class="scroll"><table aria-labelledby="compare-differences">
      <thead><tr><th scope="col">${t("class")}</th><th scope="col">${t("shareA")}</th><th scope="col">${t("shareB")}</th>
        <th scope="col">${t("difference")}</th></tr></thead>
      <tbody>${shareDifferences(a.result.shares, b.result.shares).map(
        ({ name, a: before, b: after }) => html`<tr>
          <td translate=${name === null ? "yes" : "no"}>${name ?? t("noClass")}</td>
          <td class="number">${colour(a, name)} ${percent(before)}</td><td class="number">${colour(b, name)} ${percent(after)}</td>
          <td class="number">${signed(Number((100 * (after - before)).toFixed(1)))} %</td></tr>`,
      )}</tbody>
    </table></div>`;
}

/** @param {Layer} a @param {Layer} b */
function depths(a, b) {
  const [ours, theirs] = [depthOf(a), depthOf(b)];
  const found = ours && theirs ? depthDifference(ours, theirs) : null;
  if (!found) return html`<p>${t("noDepth")}</p>`;
  const { unit, n, median, spread } = found;
  return unit === "m"
    ? html`<p>${t("metres", { median: signed(Number(median.toFixed(3))), spread: spread.toFixed(3), n: whole(n) })}</p>`
    : html`<p>${t("ratio", { median: median.toFixed(3), spread: percent(spread), n: whole(n) })}</p>`;
}

/** @param {any} a @param {any} b */
function counts({ count: a }, { count: b }) {
  const told = (/** @type {number | null} */ count) => (count === null ? t("noNumber") : String(count));
  const step = a === null || b === null ? null : b - a;
  const difference = step === null ? "-" : step === 0 ? t("same") : t(step > 0 ? "more" : "fewer", { n: Math.abs(step) });
  return html`<p>${t("count", { a: told(a), b: told(b), difference })}</p>`;
}

/** @param {any} a @param {any} b */
function actions(a, b) {
  const told = (/** @type {any} */ { action, xy }) => (xy ? `${action} ${xy.map(Math.round).join(", ")}` : action || "-");
  const apart = a.xy && b.xy ? t("apart", { px: Math.hypot(a.xy[0] - b.xy[0], a.xy[1] - b.xy[1]).toFixed(1) }) : nothing;
  return html`<p>${t("actions", { a: told(a), b: told(b) })} ${apart}</p>`;
}

/** @param {string} a @param {string} b */
function textRuns(a, b) {
  if (a === b) return html`<p>${t("sameText")}</p><p class="runs" translate="no">${a}</p>`;
  const runs = wordDiff(a, b).map(({ kind, text }) => {
    if (kind === "same") return html`<span translate="no">${text}</span>`;
    const said = html`<span class="unseen">${t(kind === "a" ? "onlyInA" : "onlyInB")} </span><span translate="no">${text}</span>`;
    return kind === "a" ? html`<del>${said}</del>` : html`<ins>${said}</ins>`;
  });
  return html`<p class="dim keys"><del>${t("onlyA")}</del> <ins>${t("onlyB")}</ins></p><p class="runs">${runs}</p>`;
}
