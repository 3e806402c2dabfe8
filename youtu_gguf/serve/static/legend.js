/** The legend of a label map: its classes with their shares, patterns beside colours, and one class alone. */

import { html } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { cardOf, itemsOf } from "./items.js";
import { hexOf, PATTERNS } from "./palette.js";
import { marked } from "./store.js";
import { words } from "./words.js";

const t = words({
  classes: ["Classes", "类别"],
  only: ["Show only this class", "仅显示此类别"],
  patterns: ["Patterns on the picture", "在图像上显示纹理"],
  none: ["no class", "无类别"],
});

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {{only: number | null, patterned: boolean}} Look */

const looks = signal(/** @type {ReadonlyMap<string, Look>} */ (new Map()));

/**
 * @param {Layer} layer
 * @returns {Look} The class that is shown alone, and whether patterns are drawn.
 */
export function lookOf(layer) {
  return looks.value.get(layer.key) ?? { only: null, patterned: false };
}

/**
 * @param {Layer} layer
 * @param {Partial<Look>} patch
 */
function change(layer, patch) {
  looks.value = new Map(looks.value).set(layer.key, { ...lookOf(layer), ...patch });
}

/**
 * @param {number} share
 * @returns {string} In percent, with at most one decimal.
 */
export function percent(share) {
  return share > 0 && share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1).replace(/\.0$/, "")} %`;
}

/**
 * @param {Layer} layer A label map.
 * @returns {unknown}
 */
export function legend(layer) {
  const { only, patterned } = lookOf(layer);
  const items = itemsOf(layer);
  const rest = 1 - items.reduce((sum, item) => sum + (item.share ?? 0), 0);
  const row = (/** @type {import("./items.js").Item} */ item, /** @type {number} */ i) => html`<li>
    <button
      type="button"
      class="class-row"
      title=${t("only")}
      aria-pressed=${only === i}
      @click=${() => change(layer, { only: only === i ? null : i })}
      @pointerenter=${() => (marked.value = { card: cardOf(layer), item: i })}
      @pointerleave=${() => (marked.value = null)}
      @focus=${() => (marked.value = { card: cardOf(layer), item: i })}
      @blur=${() => (marked.value = null)}
    >
      <span class="swatch pattern-${i % PATTERNS}" aria-hidden="true" .style=${`background-color: ${hexOf(i)}`}></span>
      <span class="class-name" translate="no">${item.label}</span>
      <span class="number">${percent(item.share ?? 0)}</span>
    </button>
  </li>`;
  return html`
    <ul class="legend" aria-label=${t("classes")}>
      ${items.map(row)}
      ${rest > 0.0005 ? html`<li class="class-row dim"><span class="swatch"></span><span class="class-name">${t("none")}</span><span class="number">${percent(rest)}</span></li>` : ""}
    </ul>
    <label class="check">
      <input type="checkbox" .checked=${patterned} @change=${() => change(layer, { patterned: !patterned })}> ${t("patterns")}
    </label>
  `;
}
