/** Answers of a batch in short: how many of what, the beginning of a text, a share, a distance. */

import { html, nothing } from "./vendor/lit-html.js";
import { words } from "./words.js";

const t = words({
  nothing: ["nothing found", "未找到"],
  more: ["{n} in all", "共 {n} 个"],
  median: ["median", "中位数"],
  relative: ["relative", "相对值"],
  unknown: ["no number", "没有数字"],
  ofPicture: ["{n} % of the picture", "占图像的 {n}%"],
  cut: ["not complete", "不完整"],
});

/** How an answer ended that is whole; "none" is that of a map, which generates nothing. */
const WHOLE = ["stop", "none"];

/**
 * @param {Record<string, any>} answer As the server tells it in short.
 * @param {[number, number] | null} size Of the picture.
 * @returns {unknown}
 */
export function shortAnswer(answer, size) {
  if (answer.error) return html`<span class="folder-error" translate="no">${answer.error.message}</span>`;
  const cut = WHOLE.includes(answer.finish) ? nothing : html` <span class="warning">(${t("cut")})</span>`;
  return html`<span class="folder-short">${told(answer, size)}${cut}</span>`;
}

/**
 * @param {Record<string, any>} answer
 * @param {[number, number] | null} size
 */
function told(answer, size) {
  if (answer.type === "Count") return answer.n === null ? t("unknown") : html`<span class="number">${answer.n}</span>`;
  if (answer.labels) return labels(answer.labels, answer.n);
  if (answer.shares) return shares(answer.shares);
  if (answer.text !== undefined) return html`<span translate="no" dir="auto">${answer.text}</span>`;
  if (answer.type === "DepthMap") return distance(answer.median, answer.unit);
  if (answer.area !== undefined) return answer.area && size ? t("ofPicture", { n: percent(answer.area / (size[0] * size[1])) }) : t("nothing");
  if (answer.action !== undefined) return html`<span translate="no">${answer.action} ${(answer.xy ?? []).map(Math.round).join(", ")}</span>`;
  return nothing;
}

/** @param {number} share */
const percent = (share) => (100 * share).toFixed(share < 0.1 ? 1 : 0);

/**
 * @param {Record<string, number>} found
 * @param {number} all
 */
function labels(found, all) {
  const entries = Object.entries(found);
  if (!entries.length) return t("nothing");
  const shown = entries.reduce((sum, [, n]) => sum + n, 0);
  return html`<span translate="no" dir="auto">${entries.map(([label, n]) => `${label} ×${n}`).join(", ")}</span>${shown < all ? ` (${t("more", { n: all })})` : nothing}`;
}

/** @param {Record<string, number>} found */
function shares(found) {
  const entries = Object.entries(found).filter(([, share]) => share > 0);
  if (!entries.length) return t("nothing");
  return html`<span translate="no" dir="auto">${entries.map(([label, share]) => `${label} ${percent(share)} %`).join(", ")}</span>`;
}

/**
 * @param {number | null} median
 * @param {string} unit
 */
function distance(median, unit) {
  if (median === null) return t("nothing");
  return html`${t("median")} <span class="number">${median.toFixed(2)}</span> ${unit === "relative" ? t("relative") : html`<span translate="no">${unit}</span>`}`;
}
